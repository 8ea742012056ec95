"""The data of the map page: vector tiles, figures for colouring and for cards, places to find, school sectors."""
