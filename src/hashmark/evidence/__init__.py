"""Evidence beyond the listing: who needs it (`settle`), requests and reads (`look`), downloads (`body`)."""
