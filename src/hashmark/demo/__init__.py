"""The sample library: its pictures, its captions, and the story it tells."""
