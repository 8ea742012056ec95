-- Median standard of living and poverty rate from 2023 on, of which INSEE gives no other figure by commune.
CREATE TABLE revenu_pauvrete (
    code_commune VARCHAR(5) NOT NULL,
    annee INTEGER NOT NULL,
    codes_anciens VARCHAR(5)[],
    mediane_niveau_vie NUMERIC(10,2),
    taux_pauvrete NUMERIC(5,2),
    PRIMARY KEY (code_commune, annee)
);
