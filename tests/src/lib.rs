//! Tests of the whole: templates against machines and functions, the catalogue against the functions, stories on the local AWS.
