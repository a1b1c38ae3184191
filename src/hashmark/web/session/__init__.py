"""What the page shows and what runs: one state for all browsers. Knows nothing of HTML or HTTP."""
