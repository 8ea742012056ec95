-- How many addresses of the BAN were used, and how many were left out: markers among the house numbers, and addresses
-- far from their street. NULL until the next load.
ALTER TABLE data_quality_metrics ADD COLUMN adresses INTEGER;
ALTER TABLE data_quality_metrics ADD COLUMN adresses_sans_numero INTEGER;
ALTER TABLE data_quality_metrics ADD COLUMN adresses_isolees INTEGER;
