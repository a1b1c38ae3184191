"""Everything that makes changes reversible: batches, their journals, restore and undo. Decides no verdicts."""
