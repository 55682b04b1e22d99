package db

import (
	"errors"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
)

// Error codes of PostgreSQL's appendix A that the program acts on.
const (
	codeSerializationFailure = "40001"
	codeDeadlock             = "40P01"
	codeDiskFull             = "53100"
)

// constraintCodes are the violations that name their constraint: not-null, foreign key, unique, check, exclusion.
var constraintCodes = []string{"23502", "23503", "23505", "23514", "23P01"}

// Constraint returns the name of the constraint that err violates, or "" when err is no violation. A domain maps the
// names of its own constraints to its errors.
func Constraint(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) && slices.Contains(constraintCodes, e.Code) {
		return e.ConstraintName
	}
	return ""
}

// Retryable reports whether err ended a transaction that can succeed when it is run again from the start.
func Retryable(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == codeSerializationFailure || e.Code == codeDeadlock)
}

// DiskFull reports whether err says that the database server's disk is full.
func DiskFull(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == codeDiskFull
}
