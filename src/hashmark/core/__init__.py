"""Values and functions of values: no I/O, clock, threads or logging. Everything else imports this."""
