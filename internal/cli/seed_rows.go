package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/enrol"
	"ribambelle/internal/household"
	"ribambelle/internal/pay/transfer"
)

var (
	seedThemes = []string{"nature", "cirque", "sciences", "sport", "arts", "eau", "cuisine", "aventure"}
	seedFirst  = []string{"Adam", "Alice", "Arthur", "Camille", "Chloé", "Elena", "Eliott", "Ibrahim", "Inaya", "Jules", "Juliette", "Léon", "Lina", "Louise", "Lucas", "Malik", "Mila", "Nathan", "Noé", "Olivia", "Rayan", "Sacha", "Victor", "Zoé"}
	seedLast   = []string{"Adam", "Benali", "Claes", "Delvaux", "Dubois", "El Amrani", "Fontaine", "Gérard", "Hendrickx", "Jacobs", "Kaya", "Lambert", "Lemaire", "Martin", "Nguyen", "Peeters", "Petit", "Renard", "Simon", "Thiry", "Van Damme", "Wauters"}
)

// seeding is the rows to copy, table by table, in the order of their references.
type seeding struct {
	now      time.Time
	want     seedCommand
	camps    []uuid.UUID
	families int

	password string                  // hash of the demo's password: making thousands would take an hour
	pools    map[uuid.UUID]uuid.UUID // of each camp
	names    map[uuid.UUID]string
	number   int64 // next structured communication

	registrationIDs []uuid.UUID
}

// table is what one COPY takes.
type table struct {
	name    string
	columns []string
	rows    [][]any
}

func newSeeding(now time.Time, want seedCommand, camps []uuid.UUID) *seeding {
	// Families have one and two children in turn.
	return &seeding{now: now, want: want, camps: camps, families: (want.Children*2 + 2) / 3}
}

// prepare reads what the rows refer to, and draws the communications.
func (s *seeding) prepare(ctx context.Context, tx db.Tx) error {
	const hash = `
		SELECT password_hash
		FROM account
		WHERE email = @email`
	if err := tx.QueryRow(ctx, hash, pgx.NamedArgs{"email": demoParent.email}).Scan(&s.password); err != nil {
		return fmt.Errorf("reading the demo's password: %w", err)
	}
	s.pools, s.names = map[uuid.UUID]uuid.UUID{}, map[uuid.UUID]string{}
	rows, err := tx.Query(ctx, `
		SELECT id, pool_id, name
		FROM camp
		WHERE id = ANY (@camps)`, pgx.NamedArgs{"camps": s.camps})
	if err != nil {
		return fmt.Errorf("reading the camps: %w", err)
	}
	var id, pool uuid.UUID
	var name string
	_, err = pgx.ForEachRow(rows, []any{&id, &pool, &name}, func() error {
		s.pools[id], s.names[id] = pool, name
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the camps: %w", err)
	}
	const draw = `
		SELECT setval('communication_number', nextval('communication_number') + @n) - @n`
	if err := tx.QueryRow(ctx, draw, pgx.NamedArgs{"n": s.want.Registrations}).Scan(&s.number); err != nil {
		return fmt.Errorf("drawing the communications: %w", err)
	}
	return nil
}

// tables makes the rows.
func (s *seeding) tables() []table {
	accounts := table{"account", []string{"id", "email", "name", "password_hash", "confirmed_at"}, nil}
	households := table{"household", []string{"id", "name"}, nil}
	guardians := table{"guardian", []string{"id", "household_id", "account_id", "first_name", "last_name", "email", "phone", "street", "postcode", "city"}, nil}
	children := table{"child", []string{"id", "first_name", "last_name", "birth_date", "submission_key"}, nil}
	homes := table{"household_child", []string{"household_id", "child_id"}, nil}
	levels := table{"child_level", []string{"child_id", "school_year", "level"}, nil}
	rights := table{"guardianship", []string{"guardian_id", "child_id", "basis", "rights", "valid_from"}, nil}

	batch := uuid.NewString()[:8]
	today := civil.DateOf(s.now, civil.Brussels)
	year := civil.SchoolYear(today)
	preset := household.Preset(household.BasisParentalAuthority)
	type kid struct{ id, guardian uuid.UUID }
	kids := make([]kid, 0, s.want.Children)
	for f := 0; len(kids) < s.want.Children; f++ {
		account, home, guardian := uuid.New(), uuid.New(), uuid.New()
		first, last := seedFirst[f%len(seedFirst)], seedLast[(f/len(seedFirst)+f)%len(seedLast)]
		email := fmt.Sprintf("famille.%s.%d@famille.example", batch, f+1)
		accounts.rows = append(accounts.rows, []any{account, email, first + " " + last, s.password, s.now})
		households.rows = append(households.rows, []any{home, last})
		guardians.rows = append(guardians.rows, []any{guardian, home, account, first, last, email, fmt.Sprintf("+32470%06d", f%1_000_000), fmt.Sprintf("Rue du Moulin %d", f%250+1), "4599", "Valmont"})
		for range min(1+f%2, s.want.Children-len(kids)) {
			n := len(kids)
			id := uuid.New()
			age := 3 + n%12
			children.rows = append(children.rows, []any{id, seedFirst[(n*7+3)%len(seedFirst)], last, civil.NewDate(today.Year-age, time.Month(1+n%12), 1+n%28), uuid.New()})
			homes.rows = append(homes.rows, []any{home, id})
			levels.rows = append(levels.rows, []any{id, year, civil.Levels[min(n%12, len(civil.Levels)-1)]})
			rights.rows = append(rights.rows, []any{guardian, id, household.BasisParentalAuthority, preset, today})
			kids = append(kids, kid{id, guardian})
		}
	}
	all := []table{accounts, households, guardians, children, homes, levels, rights}

	registrations := table{"registration", []string{"id", "submission_key", "child_id", "camp_id", "registrant_id", "payer_id", "debtor_id", "state", "state_since", "due_at", "price_cents", "price_detail", "created_at", "updated_at"}, nil}
	events := table{"registration_event", []string{"registration_id", "from_state", "to_state", "at", "actor_kind", "actor_id"}, nil}
	places := table{"place", []string{"pool_id", "registration_id", "state"}, nil}
	dues := table{"due", []string{"id", "registration_id", "payer_id", "debtor_id", "communication", "created_at"}, nil}
	lines := table{"ledger_line", []string{"due_id", "registration_id", "payer_id", "debtor_id", "kind", "cents", "label", "source", "actor", "at"}, nil}
	for n := range s.want.Registrations {
		child := kids[n%len(kids)]
		camp := s.camps[(n/len(kids)+n%len(kids))%len(s.camps)] // no pair comes twice
		id := uuid.New()
		state, path := seedState(n)
		place := "held"
		if state == enrol.Confirmed {
			place = "confirmed"
		}
		var dueAt *time.Time
		if state == enrol.AwaitingPayment {
			at := today.AddDays(10).At(18*60, civil.Brussels)
			dueAt = &at
		}
		detail := []enrol.PriceLine{{Label: "price.camp", Args: []string{s.names[camp]}, Cents: seedPrice}}
		registrations.rows = append(registrations.rows, []any{id, uuid.New(), child.id, camp, child.guardian, child.guardian, child.guardian, string(state), s.now, dueAt, seedPrice, detail, s.now, s.now})
		var from *string
		for _, to := range path {
			name := string(to)
			events.rows = append(events.rows, []any{id, from, name, s.now, demoActor.Kind, demoActor.ID})
			from = &name
		}
		places.rows = append(places.rows, []any{s.pools[camp], id, place})
		s.registrationIDs = append(s.registrationIDs, id)
		if state == enrol.ToValidate {
			continue
		}
		due := uuid.New()
		communication, err := transfer.New(s.number + int64(n))
		if err != nil {
			panic("seed: " + err.Error()) // the sequence ends where communications end
		}
		dues.rows = append(dues.rows, []any{due, id, child.guardian, child.guardian, communication.Digits(), s.now})
		lines.rows = append(lines.rows, []any{due, id, child.guardian, child.guardian, "charge", seedPrice, "price.camp", "tariff", demoActor.String(), s.now})
		if state == enrol.Confirmed {
			lines.rows = append(lines.rows, []any{due, id, child.guardian, child.guardian, "payment", seedPrice, "ledger.payment", "cash", demoActor.String(), s.now})
		}
	}
	return append(all, registrations, events, places, dues, lines)
}

// seedState spreads the states: two thirds confirmed, the rest to validate or to pay; path is how it came there.
func seedState(n int) (state enrol.State, path []enrol.State) {
	path = []enrol.State{enrol.Submitted, enrol.ToValidate}
	switch n % 6 {
	case 0:
		return enrol.ToValidate, path
	case 1:
		return enrol.AwaitingPayment, append(path, enrol.Validated, enrol.AwaitingPayment)
	}
	return enrol.Confirmed, append(path, enrol.Validated, enrol.AwaitingPayment, enrol.Confirmed)
}
