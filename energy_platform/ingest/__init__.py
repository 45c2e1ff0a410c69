"""From a source's answers to whole days in the lake: which days are due, and how they land."""
