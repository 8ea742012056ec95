"""What no fault may do: `make torture` kills, cuts and overloads this product on purpose, on a scratch database."""
