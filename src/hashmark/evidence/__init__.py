"""Evidence beyond the listing: rows that need it (`settler`), requests and reads (`inspection`), downloads (`body`)."""
