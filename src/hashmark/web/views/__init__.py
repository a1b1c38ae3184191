"""What browsers and scripts receive: pages, their templates, and the JSON API. Compares and moves nothing."""
