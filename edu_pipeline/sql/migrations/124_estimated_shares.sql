-- Which shares of split communes are not INSEE's but computed from municipal populations.
ALTER TABLE passage_communes ADD COLUMN part_estimee BOOLEAN;
