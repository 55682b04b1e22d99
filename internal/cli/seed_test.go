package cli

import (
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/account"
	"ribambelle/internal/enrol"
	"ribambelle/internal/enrol/enroltest"
)

// What is copied keeps every promise that enrolment keeps.
func TestSeedIsConsistent(t *testing.T) {
	t.Parallel()
	w := enroltest.New(t)
	camps := make([]uuid.UUID, 4)
	for i := range camps {
		camps[i] = w.Camp(t, "Stage", 100).ID
	}
	draft := account.Draft{Email: demoParent.email, Name: demoParent.name, Password: demoPassword, Confirmed: true}
	if _, err := account.New(w.DB, w.Now, w.Box, w.Jobs).Create(t.Context(), demoActor, draft); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a second time adds as many again
		s := newSeeding(w.Now(), seedCommand{Children: 31, Camps: len(camps), Registrations: 62}, camps)
		if err := w.DB.InTx(t.Context(), s.copy); err != nil {
			t.Fatal(err)
		}
	}
	for table, want := range map[string]int{"child": 62, "guardian": 42, "registration": 124} {
		var got int
		if err := w.DB.QueryRow(t.Context(), `SELECT count(*) FROM `+pgx.Identifier{table}.Sanitize()).Scan(&got); err != nil || got != want {
			t.Errorf("%d rows in %s, %v, want %d", got, table, err, want)
		}
	}
	for promise, q := range enrol.Invariants {
		rows, err := w.DB.Query(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		broken, err := pgx.CollectRows(rows, pgx.RowTo[any])
		if err != nil || len(broken) > 0 {
			t.Errorf("%s: %d rows break it, %v", promise, len(broken), err)
		}
	}
}

func TestSeedRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		env  []string
		args []string
	}{
		{[]string{"ODOO_URL=http://127.0.0.1:1", "ODOO_DB=town", "ODOO_USER=u", "ODOO_PASSWORD=p"}, nil},
		{[]string{"DATABASE_URL=postgres://127.0.0.1:1/town", "SEAL_KEYSET=x"}, nil},
		{nil, []string{"--registrations=10", "--children=2", "--camps=4"}},
		{[]string{"SMTP_URL=smtp://127.0.0.1:1", "MAIL_FROM=a@b.example"}, nil},
	} {
		h := newHouse(t, tc.env...)
		if code, _, errs := h.run(append([]string{"seed"}, tc.args...)...); code != 1 || errs == "" {
			t.Errorf("%v %v: code %d, %s", tc.env, tc.args, code, errs)
		}
	}
}
