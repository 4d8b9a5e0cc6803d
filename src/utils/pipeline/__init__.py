"""The numbered notebooks as one run: what is up to date, running the rest, publishing the result."""
