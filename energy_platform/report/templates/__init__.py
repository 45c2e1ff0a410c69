"""Templates of the page in HTML and PDF, with the style and the script of the page."""
