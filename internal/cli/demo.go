package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/connector/eventmodule"
	"ribambelle/internal/account"
	"ribambelle/internal/audit"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/household"
	"ribambelle/internal/medical"
	"ribambelle/internal/problem"
	"ribambelle/portal/page"
)

// demoPassword is every demo account's; the terminal and the sign-in page say it.
const demoPassword = "valmont-demo"

// demoPerson is someone one may sign in as.
type demoPerson struct {
	label string // as the sign-in page calls the person, in the demo's language
	email string
	name  string
	roles []string
}

var (
	demoParent = demoPerson{"Parent de Léa et Hugo", "sophie.lambert@famille.example", "Sophie Lambert", nil}
	demoOther  = demoPerson{"Autre parent de Léa", "karim.benali@famille.example", "Karim Benali", nil}
	demoLeader = demoPerson{"Animatrice", "nora.dumont@valmont.example", "Nora Dumont", []string{account.RoleLeader}}
	demoPeople = []demoPerson{
		demoParent,
		demoOther,
		{"Agent du service jeunesse", "amelie.marchal@valmont.example", "Amélie Marchal", []string{account.RoleAgent}},
		{"Directeur financier", "luc.servais@valmont.example", "Luc Servais", []string{account.RoleFinance}},
		demoLeader,
		{"Administratrice", "ines.wauters@valmont.example", "Inès Wauters", []string{account.RoleAdministrator}},
	}
)

func demoAccounts() []page.DemoAccount {
	all := make([]page.DemoAccount, len(demoPeople))
	for i, p := range demoPeople {
		all[i] = page.DemoAccount{Role: p.label, Email: p.email, Password: demoPassword}
	}
	return all
}

// demoWood is the camp that a visitor of the demo sees from nearby.
const demoWood = "L'atelier du bois"

// demoCommune is Valmont with one camp that begins within a fortnight of the first start, so that the leader's pages
// and the reminders show something.
func demoCommune(now time.Time) eventmodule.Commune {
	c := eventmodule.Valmont(now)
	today := civil.DateOf(now, civil.Brussels)
	monday := today.AddDays(7 + (8-int(today.Weekday()))%7)
	at := func(day civil.Date, hour int) time.Time {
		return day.Time(civil.Brussels).Add(time.Duration(hour) * time.Hour)
	}
	c.Events = append(c.Events, eventmodule.Event{
		Key: "bois", Name: demoWood, Begin: at(monday, 9), End: at(monday.AddDays(4), 16), Zone: "Europe/Brussels",
		Place: "moulin", Type: "Stage", Tags: []string{"Stage", "P1", "P2", "P3", "P4", "P5", "P6", "Arts"},
		Stage: "Announced", Seats: 16,
		Description: "<p>Scier, poncer, assembler : chaque enfant repart avec un nichoir. Les outils sont prêtés.</p>",
		Tickets:     []eventmodule.Ticket{{Name: "Semaine", Price: 60}},
	})
	return c
}

// The keys of the demo children's forms: the same key again is the same child.
var (
	demoLea  = uuid.MustParse("6f1f2a52-7d52-4c0e-9d2e-2a1c5b0a0001")
	demoHugo = uuid.MustParse("6f1f2a52-7d52-4c0e-9d2e-2a1c5b0a0002")
)

// demoLock is the advisory lock of whoever furnishes the demo.
const demoLock int64 = 0x72696261_64656d6f

var demoActor = audit.Command("demo")

// furnish makes the demo's commune, people, camps and buses, each once: what a visitor changed since stays changed.
func (a *app) furnish(ctx context.Context) error {
	guard, err := a.db.Acquire(ctx)
	if err != nil {
		return err
	}
	defer guard.Release()
	if _, err := guard.Exec(ctx, `SELECT pg_advisory_lock(@key)`, pgx.NamedArgs{"key": demoLock}); err != nil {
		return fmt.Errorf("waiting for another start: %w", err)
	}
	defer guard.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock(@key)`, pgx.NamedArgs{"key": demoLock}) //nolint:errcheck // a dead session has lost its lock
	for _, step := range []struct {
		name string
		make func(context.Context) error
	}{
		{"settings", a.demoSettings},
		{"people", a.demoPeople},
		{"camps", a.demoCamps},
	} {
		if err := a.once(ctx, step.name, step.make); err != nil {
			return fmt.Errorf("furnishing the demo's %s: %w", step.name, err)
		}
	}
	return nil
}

// once runs a step that has not succeeded yet in this database.
func (a *app) once(ctx context.Context, name string, f func(context.Context) error) error {
	args := pgx.NamedArgs{"key": "demo." + name}
	var done bool
	const q = `
		SELECT EXISTS (SELECT FROM setting WHERE key = @key)`
	if err := a.db.QueryRow(ctx, q, args).Scan(&done); err != nil || done {
		return err
	}
	if err := f(ctx); err != nil {
		return err
	}
	const note = `
		INSERT INTO setting (key, value)
		VALUES (@key, 'done')
		ON CONFLICT DO NOTHING`
	_, err := a.db.Exec(ctx, note, args)
	return err
}

func (a *app) demoSettings(ctx context.Context) error {
	for key, value := range map[string]string{
		"commune.name": "Valmont", "commune.street": "Place de l'Église 1", "commune.city": "4599 Valmont",
		"commune.email": "stages@valmont.example", "commune.phone": "+3287000000", "commune.bce": "0000.000.097",
		"commune.iban": "BE71096123456769", "commune.bic": "GKCCBEBB",
	} {
		if err := camp.SetSetting(ctx, a.db, demoActor, key, value); err != nil {
			return err
		}
	}
	return nil
}

// demoPeople makes the accounts and one family: two children, one of them shared with a parent who lives elsewhere.
func (a *app) demoPeople(ctx context.Context) error {
	ids := map[string]uuid.UUID{}
	for _, p := range demoPeople {
		made, err := a.account.Create(ctx, demoActor, account.Draft{
			Email: p.email, Name: p.name, Password: demoPassword, Roles: p.roles, Confirmed: true,
		})
		if problem.Is(err, problem.KindConflict) {
			made, err = a.account.ByEmail(ctx, p.email)
		}
		if err != nil {
			return err
		}
		ids[p.email] = made.ID
	}
	mother, err := a.household.SaveGuardian(ctx, ids[demoParent.email], household.GuardianForm{
		FirstName: "Sophie", LastName: "Lambert", Phone: "+32475000001", Street: "Rue des Tilleuls 8", Postcode: "4599", City: "Valmont",
	})
	if err != nil {
		return err
	}
	father, err := a.household.SaveGuardian(ctx, ids[demoOther.email], household.GuardianForm{
		FirstName: "Karim", LastName: "Benali", Phone: "+32475000002", Street: "Avenue du Lac 21", Postcode: "4599", City: "Valmont",
	})
	if err != nil {
		return err
	}
	year := a.now().In(civil.Brussels).Year()
	lea, err := a.household.AddChild(ctx, mother.ID, household.ChildForm{
		Key: demoLea, FirstName: "Léa", LastName: "Benali", BirthDate: civil.NewDate(year-8, time.April, 12), Level: "P3", Interests: []string{"Nature", "Cirque"},
	})
	if err != nil {
		return err
	}
	if _, err := a.household.AddChild(ctx, mother.ID, household.ChildForm{
		Key: demoHugo, FirstName: "Hugo", LastName: "Lambert", BirthDate: civil.NewDate(year-5, time.September, 3), Level: "M3", Interests: []string{"Arts"},
	}); err != nil {
		return err
	}
	grant := household.Grant{Basis: household.BasisParentalAuthority}
	if err := a.household.Grant(ctx, demoActor, father.ID, lea.ID, grant); err != nil {
		return err
	}
	err = a.medical.Save(ctx, ids[demoParent.email], mother.ID, lea.ID, demoSheet())
	if problem.Is(err, problem.KindConflict) { // saved by a start that was cut short
		err = nil
	}
	return err
}

func demoSheet() medical.Sheet {
	return medical.Sheet{
		HasAllergies: medical.Yes, Allergies: []medical.Allergy{{To: "Arachides", Consequence: "Gonflement, gêne respiratoire", Treatment: "Stylo d’adrénaline dans le sac, puis le 112", Severe: medical.Yes}},
		HasDiseases: medical.No, TakesMedication: medical.No, HasDiet: medical.No, Tetanus: medical.Yes,
		Swims: medical.Yes, Doctor: medical.Doctor{Name: "Dr Claire Fontaine", Phone: "+3287000011"},
		AllowCare: medical.Yes, AllowFirstAid: medical.Yes, AllowSunCream: medical.Yes, AllowAlone: medical.No, AllowPhoto: medical.Yes,
	}
}
