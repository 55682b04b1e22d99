package connector

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/kolo/xmlrpc"
)

// The texts are Odoo 17's own, their frames shortened.
func trace(last string) string {
	return "Traceback (most recent call last):\n  File \"/opt/odoo/odoo/http.py\", line 1, in f\n    secret = 'dans le code'\n" + last + "\n\n"
}

func TestFaultOf(t *testing.T) {
	t.Parallel()
	write := call{Model: ModelRegistration, Method: "write"}
	tests := []struct {
		name string
		code int
		text string
		call call
		want Fault
	}{
		{
			"access", 4, "You are not allowed to create 'Contact' (res.partner) records.\n\nThis operation is allowed for the following groups:\n\t- Extra Rights/Contact Creation", write,
			Fault{Kind: KindAccess, Code: CodeRefused, Message: "You are not allowed to create 'Contact' (res.partner) records.\n\nThis operation is allowed for the following groups:\n - Extra Rights/Contact Creation"},
		},
		{
			"bad value with details", 1, trace("psycopg2.errors.InvalidDatetimeFormat: invalid input syntax for type timestamp: \"garbage\"\nLINE 1: ...\"res_partner\".\"write_date\" > 'garbage')...\n                 ^"), write,
			Fault{Kind: KindProtocol, Code: CodeServer, Message: `invalid input syntax for type timestamp: "garbage"`},
		},
		{
			"database", 1, trace("KeyError: 'nodb'\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  x\npsycopg2.OperationalError: connection to server at \"127.0.0.1\", port 5433 failed: FATAL:  database \"nodb\" does not exist"), write,
			Fault{Kind: KindDenied, Code: CodeDatabase, Message: "The database does not exist on this server."},
		},
		{
			"database in French", 1, trace("psycopg2.OperationalError: FATAL:  la base de données « nodb » n'existe pas"), write,
			Fault{Kind: KindDenied, Code: CodeDatabase, Message: "The database does not exist on this server."},
		},
		{
			"database starting", 1, trace("psycopg2.OperationalError: connection failed: FATAL:  the database system is starting up"), write,
			Fault{Kind: KindTemporary, Code: CodeOverloaded, Message: "connection failed: FATAL:  the database system is starting up"},
		},
		{
			"deadlock", 1, trace("psycopg2.errors.DeadlockDetected: deadlock detected\nDETAIL:  Process 1 waits for x"), write,
			Fault{Kind: KindConflict, Code: CodeSerialize, Message: "deadlock detected"},
		},
		{"denied", 3, "Access Denied", write, Fault{Kind: KindDenied, Code: CodeSession, Message: "Odoo refused the user or the password."}},
		{
			"duplicate with details", 1, trace("psycopg2.errors.UniqueViolation: duplicate key value violates unique constraint \"c\"\nDETAIL:  Key (email)=(eva@example.org) already exists."), write,
			Fault{Kind: KindProtocol, Code: CodeServer, Message: `duplicate key value violates unique constraint "c"`},
		},
		{"exception without a message", 1, trace("AssertionError"), write, Fault{Kind: KindProtocol, Code: CodeServer, Message: "AssertionError"}},
		{
			"field", 1, trace("ValueError: Invalid field 'nofield' on model 'res.partner'"), write,
			Fault{Kind: KindProtocol, Code: CodeField, Message: "Invalid field 'nofield' on model 'res.partner'"},
		},
		{
			"missing", 2, "Record does not exist or has been deleted.\n(Record: res.partner(99999999,), User: 2)", write,
			Fault{Kind: KindMissing, Code: CodeNoSuchRecord, Message: "Record does not exist or has been deleted.\n(Record: res.partner(99999999,), User: 2)"},
		},
		{
			"missing in French", 2, "Enregistrement inexistant ou supprimé.\n(Enregistrement : event.registration(9, 12), utilisateur : 2)", write,
			Fault{Kind: KindMissing, Code: CodeNoSuchRecord, Message: "Enregistrement inexistant ou supprimé.\n(Enregistrement : event.registration(9, 12), utilisateur : 2)"},
		},
		{
			"missing responsible", 2, "Record does not exist or has been deleted.\n(Record: res.users(99999,), User: 2)", write,
			Fault{Kind: KindMissing, Code: CodeNoSuchRecord, Message: "Record does not exist or has been deleted.\n(Record: res.users(99999,), User: 2)"},
		},
		{
			"model", 2, "Object no.model doesn't exist", write,
			Fault{Kind: KindProtocol, Code: CodeModel, Message: `Odoo has no model "event.registration"; the module is not installed.`},
		},
		{
			"model in another language", 2, "L'objet event.event n'existe pas",
			call{Model: ModelEvent, Method: "fields_get"},
			Fault{Kind: KindProtocol, Code: CodeModel, Message: `Odoo has no model "event.event"; the module is not installed.`},
		},
		{
			"pool full", 1, trace("psycopg2.pool.PoolError: The Connection Pool Is Full"), write,
			Fault{Kind: KindTemporary, Code: CodeOverloaded, Message: "The Connection Pool Is Full"},
		},
		{
			"seats", 2, "There are not enough seats available for:\n- \"Stage cirque\": Missing 1 seats.\n", write,
			Fault{Kind: KindUser, Code: CodeRefused, Message: "There are not enough seats available for:\n- \"Stage cirque\": Missing 1 seats."},
		},
		{
			"serialization", 1, trace("psycopg2.errors.SerializationFailure: could not serialize access due to concurrent update"), write,
			Fault{Kind: KindConflict, Code: CodeSerialize, Message: "could not serialize access due to concurrent update"},
		},
		{"traceback as a warning", 2, trace("ValueError: x"), write, Fault{Kind: KindUser, Code: CodeRefused, Message: "x"}},
		{
			"user gone", 2, "Record does not exist or has been deleted.\n(Record: res.users(99999,), User: 99999)", write,
			Fault{Kind: KindDenied, Code: CodeSession, Message: "Odoo no longer knows the user."},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := faultOf(xmlrpc.FaultError{Code: tt.code, String: tt.text}, tt.call)
			tt.want.Model, tt.want.Method = tt.call.Model, tt.call.Method
			if diff := cmp.Diff(&tt.want, got, cmpopts.IgnoreUnexported(Fault{})); diff != "" {
				t.Errorf("fault (-want +got):\n%s", diff)
			}
			if strings.Contains(got.Error(), "dans le code") || strings.Contains(got.Error(), "eva@") {
				t.Errorf("the error tells too much: %v", got)
			}
		})
	}
}

func TestFaultError(t *testing.T) {
	t.Parallel()
	f := &Fault{Kind: KindUser, Code: CodeRefused, Model: ModelPartner, Method: "create", Message: "Refused \"Eva Dupont\" and 'Léo'\nKey (email)=(eva@example.org), mail leo@example.org"}
	if want := "odoo: res.partner.create: user: Refused … and … Key …, mail …"; f.Error() != want {
		t.Errorf("error\n%s, want\n%s", f.Error(), want)
	}
	f = lost(call{Model: ModelRegistration, Method: "load"}, KindTemporary, CodeTimeout, "Slow.", true, nil)
	if want := "odoo: event.registration.load: temporary (timeout): Slow. [may have been carried out]"; f.Error() != want {
		t.Errorf("error %s, want %s", f.Error(), want)
	}
	if !Ambiguous(f) || !f.Temporary() || KindOf(f) != KindTemporary {
		t.Error("a lost write is ambiguous and temporary")
	}
	if Ambiguous(lost(call{ReadOnly: true}, KindTemporary, CodeTimeout, "", true, nil)) {
		t.Error("a lost read is not ambiguous")
	}
}

func TestTidy(t *testing.T) {
	t.Parallel()
	if got := tidy(" a\x00b\tc\u0007\xff\n" + strings.Repeat("é", 700)); len([]rune(got)) != 600 || !strings.HasPrefix(got, "ab c\nééé") || !strings.HasSuffix(got, "…") {
		t.Errorf("tidy gives %q", got)
	}
}

func TestCommittedNone(t *testing.T) {
	t.Parallel()
	none := trace("TypeError: cannot marshal None unless allow_none is enabled")
	for _, tt := range []struct {
		name string
		err  error
		want bool
	}{
		{"none", xmlrpc.FaultError{Code: 1, String: none}, true},
		{"quoted by another exception", xmlrpc.FaultError{Code: 1, String: none + "\nDuring handling of the above exception, another exception occurred:\n\n" + trace("ValueError: x")}, false},
		{"as a warning", xmlrpc.FaultError{Code: 2, String: none}, false},
		{"another class", xmlrpc.FaultError{Code: 1, String: trace("ValueError: cannot marshal None unless allow_none is enabled")}, false},
		{"no fault", errTruncated, false},
	} {
		if got := committedNone(tt.err); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
