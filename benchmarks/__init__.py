"""Commands that print ratios, and the anchors they were measured against in the same run."""
