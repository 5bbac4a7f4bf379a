"""features/*: the days features are taken at, the dbt project, and the test that no feature sees later rows."""
