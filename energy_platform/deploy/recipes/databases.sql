-- Run once, when the database server is made.
CREATE DATABASE catalogue;
CREATE DATABASE dagster;
