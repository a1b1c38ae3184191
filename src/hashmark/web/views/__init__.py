"""What browsers and scripts are sent: pages, the JSON API, and their templates. Compares and moves nothing."""
