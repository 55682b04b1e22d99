package eventmodule

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// The fault codes of /xmlrpc/2 (Odoo 17.0, measured).
const (
	codeApplication = 1 // a Python traceback; its last line holds the cause
	codeUser        = 2 // UserError, ValidationError, MissingError: the message alone
	codeDenied      = 3 // wrong password
	codeAccess      = 4 // missing rights, private methods
)

// fault is an answer that is a <fault>. class is the Python exception's name,
// shown by the older /xmlrpc entry points.
type fault struct {
	code  int
	class string
	text  string
}

func (f *fault) Error() string { return fmt.Sprintf("fault %d: %s", f.code, f.text) }

// traceback is a fault 1 whose last line holds the cause, for example
// "ValueError: Invalid field 'x' on model 'y'".
func traceback(cause string) *fault {
	class, _, _ := strings.Cut(cause, ":")
	return &fault{
		codeApplication, class,
		"Traceback (most recent call last):\n  File \"eventmodule\", in dispatch\n" + cause + "\n",
	}
}

func userError(text string) *fault { return &fault{codeUser, "UserError", text} }

func validation(text string) *fault { return &fault{codeUser, "ValidationError", text} }

func accessError(text string) *fault { return &fault{codeAccess, "AccessError", text} }

// missing tells which records are not there, as Odoo's MissingError does.
func missing(model string, ids []int64, uid int64) *fault {
	return &fault{codeUser, "MissingError", fmt.Sprintf(
		"Record does not exist or has been deleted.\n(Record: %s(%s), User: %d)", model, pyTuple(ids), uid)}
}

// pyTuple writes the inside of a Python tuple: "7," or "7, 8".
func pyTuple(ids []int64) string {
	if len(ids) == 1 {
		return strconv.FormatInt(ids[0], 10) + ","
	}
	parts := make([]string, len(ids))
	for i, id := range ids {
		parts[i] = strconv.FormatInt(id, 10)
	}
	return strings.Join(parts, ", ")
}

// pyRepr writes a decoded value as Python's repr does, for fault texts.
func pyRepr(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case int:
		return strconv.Itoa(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return pyFloat(v)
	case wireTime:
		return fmt.Sprintf("<DateTime %s>", pyRepr(string(v)))
	case string:
		quote := "'"
		if strings.Contains(v, "'") && !strings.Contains(v, `"`) {
			quote = `"`
		}
		r := strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`)
		s := r.Replace(v)
		if quote == "'" {
			s = strings.ReplaceAll(s, "'", `\'`)
		}
		return quote + s + quote
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = pyRepr(e)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return fmt.Sprintf("<%T>", v)
}

// SQLSTATE classes that a fault has a text of its own for.
const (
	sqlNotNull       = "23502"
	sqlForeignKey    = "23503"
	sqlUnique        = "23505"
	sqlCheck         = "23514"
	sqlSerialization = "40001"
	sqlDeadlock      = "40P01"
)

// sqlFault turns an error of PostgreSQL into the fault Odoo makes of it.
// Other errors come back unchanged.
func (s *Server) sqlFault(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return err
	}
	switch pg.Code {
	case sqlNotNull:
		m := s.models.byTable[pg.TableName]
		if m == nil {
			break
		}
		label := pg.ColumnName
		if f := m.field(pg.ColumnName); f != nil {
			label = f.label
		}
		return &fault{codeUser, "ValidationError", fmt.Sprintf("The operation cannot be completed:\n"+
			"- Create/update: a mandatory field is not set.\n"+
			"- Delete: another model requires the record being deleted. If possible, archive it instead.\n\n"+
			"Model: %s (%s)\nField: %s (%s)\n", m.label, m.name, label, pg.ColumnName)}
	case sqlForeignKey:
		label, name := "Unknown", "unknown"
		if m := s.models.byTable[pg.TableName]; m != nil {
			label, name = m.label, m.name
		}
		return &fault{codeUser, "ValidationError", fmt.Sprintf("The operation cannot be completed: "+
			"another model requires the record being deleted. If possible, archive it instead.\n\n"+
			"Model: %s (%s)\nConstraint: %s\n", label, name, pg.ConstraintName)}
	case sqlUnique, sqlCheck:
		if text, ok := constraintTexts[pg.ConstraintName]; ok {
			return validation("The operation cannot be completed: " + text)
		}
		return validation(fmt.Sprintf("The operation cannot be completed: %s\nDETAIL:  %s\n", pg.Message, pg.Detail))
	case sqlSerialization, sqlDeadlock:
		return err
	}
	return traceback(fmt.Sprintf("psycopg2.errors.%s: %s\n", pgClass(pg.Code), pg.Message))
}

// pgClass is psycopg2's name for the SQLSTATEs a caller can provoke.
func pgClass(code string) string {
	switch code {
	case "22007":
		return "InvalidDatetimeFormat"
	case "22008":
		return "DatetimeFieldOverflow"
	case "22003":
		return "NumericValueOutOfRange"
	case "22P02":
		return "InvalidTextRepresentation"
	case "22021":
		return "CharacterNotInRepertoire"
	}
	return "DatabaseError"
}

// constraintTexts are the messages Odoo's models give for their own constraints.
var constraintTexts = map[string]string{
	"event_registration_barcode_event_uniq": "Barcode should be unique",
	"res_partner_check_name":                "Contacts require a name",
	"res_users_login_key":                   "You can not have two users with the same login!",
}

// retryable tells whether running the transaction again may succeed.
func retryable(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == sqlSerialization || pg.Code == sqlDeadlock)
}
