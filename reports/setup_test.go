package reports

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/db/dbtest"
	"ribambelle/internal/household"
	"ribambelle/internal/medical"
	"ribambelle/internal/seal"
)

// now is the instant of every test here: the Friday before the camp.
var now = time.Date(2026, 7, 3, 14, 5, 0, 0, civil.Brussels)

// bundle is a database with one camp of five mornings, and what was read of medical values.
type bundle struct {
	t     *testing.T
	db    *db.DB
	store *Store
	camp  uuid.UUID
	days  []uuid.UUID // sessions in order
}

func setup(t *testing.T) *bundle {
	t.Helper()
	d, clock, box := dbtest.New(t), func() time.Time { return now }, seal.NewTest()
	family := household.New(d, clock, box, nil)
	b := &bundle{t: t, db: d, store: New(d, clock, medical.New(d, clock, box, family))}
	b.exec(`INSERT INTO setting (key, value) VALUES ('commune.name', 'Commune de Valmont & environs')`, nil)
	pool := b.id(`INSERT INTO pool (kind, max) VALUES ('camp', 24) RETURNING id`, nil)
	b.camp = b.id(`
		INSERT INTO camp (name, location, begins_at, ends_at, published, pool_id)
		VALUES ('Les explorateurs du canal', 'École des Tilleuls', @b, @e, true, @pool)
		RETURNING id`,
		pgx.NamedArgs{"b": time.Date(2026, 7, 6, 9, 0, 0, 0, civil.Brussels), "e": time.Date(2026, 7, 10, 16, 0, 0, 0, civil.Brussels), "pool": pool})
	for i := range 5 {
		b.days = append(b.days, b.id(`
			INSERT INTO camp_session (camp_id, day, starts, ends)
			VALUES (@camp, @day, '09:00', '16:00')
			RETURNING id`, pgx.NamedArgs{"camp": b.camp, "day": civil.NewDate(2026, 7, 6+i)}))
	}
	return b
}

func (b *bundle) exec(sql string, args pgx.NamedArgs) {
	b.t.Helper()
	if _, err := b.db.Exec(b.t.Context(), sql, args); err != nil {
		b.t.Fatalf("%s: %v", sql, err)
	}
}

func (b *bundle) id(sql string, args pgx.NamedArgs) (id uuid.UUID) {
	b.t.Helper()
	if err := b.db.QueryRow(b.t.Context(), sql, args).Scan(&id); err != nil {
		b.t.Fatalf("%s: %v", sql, err)
	}
	return id
}

func (b *bundle) account(name string, roles ...string) uuid.UUID {
	b.t.Helper()
	if roles == nil {
		roles = []string{}
	}
	return b.id(`
		INSERT INTO account (email, name, password_hash, roles)
		VALUES (@email, @name, '', @roles)
		RETURNING id`, pgx.NamedArgs{"email": uuid.NewString() + "@example.org", "name": name, "roles": roles})
}

// reads counts how often medical values were read for a register.
func (b *bundle) reads() (n int) {
	b.t.Helper()
	err := b.db.QueryRow(b.t.Context(), `SELECT count(*) FROM medical_access WHERE purpose = 'register'`).Scan(&n)
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

// sheet lets a guardian with an account save a medical sheet.
func (b *bundle) sheet(guardian, child uuid.UUID, v medical.Sheet) {
	b.t.Helper()
	account := b.account("Parent")
	b.exec(`UPDATE guardian SET account_id = @account WHERE id = @guardian AND account_id IS NULL`, pgx.NamedArgs{"account": account, "guardian": guardian})
	if err := b.store.Medical.Save(b.t.Context(), account, guardian, child, v); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bundle) guardian(first, last, phone string) uuid.UUID {
	b.t.Helper()
	household := b.id(`INSERT INTO household (name) VALUES (@name) RETURNING id`, pgx.NamedArgs{"name": last})
	return b.id(`
		INSERT INTO guardian (household_id, first_name, last_name, phone)
		VALUES (@household, @first, @last, @phone)
		RETURNING id`, pgx.NamedArgs{"household": household, "first": first, "last": last, "phone": phone})
}

func (b *bundle) link(guardian, child uuid.UUID, basis string, rights ...string) {
	b.t.Helper()
	b.exec(`
		INSERT INTO guardianship (guardian_id, child_id, basis, rights, valid_from)
		VALUES (@guardian, @child, @basis, @rights, '2026-01-01')`,
		pgx.NamedArgs{"guardian": guardian, "child": child, "basis": basis, "rights": rights})
}

func (b *bundle) child(first, last string, birth civil.Date) uuid.UUID {
	b.t.Helper()
	return b.id(`
		INSERT INTO child (first_name, last_name, birth_date, submission_key)
		VALUES (@first, @last, @birth, gen_random_uuid())
		RETURNING id`, pgx.NamedArgs{"first": first, "last": last, "birth": birth})
}

func (b *bundle) register(child, guardian uuid.UUID, state string, stopOut, stopBack *uuid.UUID) uuid.UUID {
	b.t.Helper()
	return b.id(`
		INSERT INTO registration (submission_key, child_id, camp_id, registrant_id, payer_id, debtor_id, state, state_since,
		  price_cents, price_detail, stop_out_id, stop_back_id, created_at, updated_at)
		VALUES (gen_random_uuid(), @child, @camp, @guardian, @guardian, @guardian, @state, @now,
		  6000, '[]', @out, @back, @now, @now)
		RETURNING id`,
		pgx.NamedArgs{"child": child, "camp": b.camp, "guardian": guardian, "state": state, "now": now, "out": stopOut, "back": stopBack})
}

// family fills the camp with the children that the tests read back.
func (b *bundle) family() {
	b.t.Helper()
	line := b.id(`INSERT INTO bus_line (name, seats) VALUES ('Ligne 1', 40) RETURNING id`, nil)
	stop := b.id(`
		INSERT INTO bus_stop (line_id, name, position, out_at, back_at)
		VALUES (@line, 'Place du Marché', 1, '08:05', '16:40')
		RETURNING id`, pgx.NamedArgs{"line": line})

	sophie := b.guardian("Sophie", "Lambert", "+32475123456")
	marc := b.guardian("Marc", "Petit", "+33612345678")
	lea := b.child("Léa", "Lambert", civil.NewDate(2018, 7, 7)) // eight on the second day: seven at the first session
	b.link(sophie, lea, "parental_authority", "see", "register", "medical", "pick_up", "messages")
	b.link(marc, lea, "court_order", "see")
	b.exec(`INSERT INTO child_level (child_id, school_year, level) VALUES (@c, 2024, 'P1')`, pgx.NamedArgs{"c": lea})
	r := b.register(lea, sophie, "confirmed", &stop, &stop)
	b.sheet(sophie, lea, medical.Sheet{
		HasAllergies: medical.Yes, Allergies: []medical.Allergy{{To: "arachides", Severe: medical.Yes}},
		HasDiseases: medical.No, TakesMedication: medical.No, HasDiet: medical.No,
	})
	marker := b.account("Tom")
	for i, present := range []bool{true, false} {
		b.exec(`INSERT INTO attendance (registration_id, session_id, present, marked_by, marked_at) VALUES (@r, @s, @p, @by, @now)`,
			pgx.NamedArgs{"r": r, "s": b.days[i], "p": present, "by": marker, "now": now})
	}

	emile := b.child("Émile", "Élan", civil.NewDate(2016, 2, 29))
	b.link(sophie, emile, "parental_authority", "see", "register", "pick_up", "messages")
	b.register(emile, sophie, "awaiting_payment", nil, &stop)

	zoe := b.child("Zoé", "Eve", civil.NewDate(2017, 1, 2))
	b.link(marc, zoe, "parental_authority", "see", "register", "pick_up", "messages")
	b.register(zoe, marc, "confirmed", nil, nil)

	gone := b.child("Parti", "Absent", civil.NewDate(2017, 1, 2))
	b.register(gone, marc, "withdrawn", nil, nil)
	waits := b.child("Attend", "Liste", civil.NewDate(2017, 1, 2))
	b.register(waits, marc, "waitlisted", nil, nil)
}

// many returns a register of n children without a database.
func many(n int) register {
	r := register{commune: "Valmont", first: civil.NewDate(2026, 7, 6), last: civil.NewDate(2026, 7, 17)}
	r.camp.Name = "Grande plaine"
	r.sessions = sessions(10)
	for i := range n {
		r.children = append(r.children, child{
			LastName: fmt.Sprintf("Nom%04d", i), FirstName: "Prénom", BirthDate: civil.NewDate(2016, 1, 1+i%365), State: "confirmed", level: "P4",
			contacts: []contact{{"Sophie Lambert", "+32475123456"}, {"Marc Petit", "+32475123457"}}, alert: medical.Alert{Known: true, Severe: true, Allergies: []medical.Allergy{{To: "arachides", Severe: medical.Yes}}},
			present: map[uuid.UUID]bool{r.sessions[0].ID: true},
		})
	}
	return r
}
