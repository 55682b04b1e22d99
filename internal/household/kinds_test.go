package household_test

import (
	"context"
	"slices"
	"testing"

	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/household"
	"ribambelle/internal/problem"
)

// kind is one kind of adult around a child, and what it may do.
type kind struct {
	name   string
	make   func(t *testing.T, w *world) uuid.UUID
	rights []household.Right // none: the child does not exist for it
}

// world is a family around one child.
type world struct {
	s     *household.Store
	b     *bundle
	child uuid.UUID
}

// granted makes a guardian that was given rights, the preset of the basis for nil.
func granted(email string, basis household.Basis, rights []household.Right) func(*testing.T, *world) uuid.UUID {
	return func(t *testing.T, w *world) uuid.UUID {
		t.Helper()
		g := w.b.guardian(t, w.s, email)
		if err := w.s.Grant(t.Context(), command, g.ID, w.child, household.Grant{Basis: basis, Rights: rights, Proof: "ref"}); err != nil {
			t.Fatal(err)
		}
		return g.ID
	}
}

// kinds are all kinds of adult, made from the table of presets: every basis stands in it once or more.
func kinds(mother uuid.UUID) []kind {
	authority := household.BasisParentalAuthority
	list := []kind{
		{"registrant", func(*testing.T, *world) uuid.UUID { return mother }, household.Preset(authority)},
		{"other guardian", granted("other@example.be", authority, nil), household.Preset(authority)},
		{
			"payer", granted("payer@example.be", household.BasisOther, []household.Right{household.RightSee, household.RightPay}),
			[]household.Right{household.RightSee, household.RightPay},
		},
		{"institution member", func(t *testing.T, w *world) uuid.UUID {
			t.Helper()
			home, err := w.s.AddOrganisation(t.Context(), command, homeForm())
			if err != nil {
				t.Fatal(err)
			}
			if err := w.s.Grant(t.Context(), command, home.ID, w.child, household.Grant{Basis: household.BasisPlacement}); err != nil {
				t.Fatal(err)
			}
			account := w.b.account(t, "educator@example.be")
			if err := w.s.AddMember(t.Context(), command, home.ID, account, w.b.today(), w.b.today()); err != nil {
				t.Fatal(err)
			}
			acts, err := w.s.ActsFor(t.Context(), account)
			if err != nil || len(acts) != 1 {
				t.Fatalf("the member acts for %v (%v), want the home alone", acts, err)
			}
			return acts[0].ID
		}, household.Preset(household.BasisPlacement)},
		{"blocked", func(t *testing.T, w *world) uuid.UUID {
			t.Helper()
			id := granted("blocked@example.be", authority, nil)(t, w)
			_, err := w.s.Block(t.Context(), command, id, w.child, household.BlockForm{Decision: "TJ 2026/7", Until: w.b.today().AddDays(365)})
			if err != nil {
				t.Fatal(err)
			}
			return id
		}, nil},
		{"former", func(t *testing.T, w *world) uuid.UUID {
			t.Helper()
			g := w.b.guardian(t, w.s, "former@example.be")
			from := w.b.today().AddDays(-100)
			if err := w.s.Grant(t.Context(), command, g.ID, w.child, household.Grant{Basis: authority, From: from}); err != nil {
				t.Fatal(err)
			}
			if err := w.s.End(t.Context(), command, g.ID, w.child, w.b.today().AddDays(-1)); err != nil {
				t.Fatal(err)
			}
			return g.ID
		}, nil},
		{"stranger", func(t *testing.T, w *world) uuid.UUID {
			t.Helper()
			return w.b.guardian(t, w.s, "nobody@example.be").ID
		}, nil},
	}
	for _, basis := range household.Bases {
		list = append(list, kind{string(basis), granted("as-"+string(basis)+"@example.be", basis, nil), household.Preset(basis)})
	}
	return list
}

func homeForm() household.GuardianForm {
	return household.GuardianForm{
		LastName: "Maison d’accueil Les Tilleuls", Phone: "+3264556677", Street: "Rue des Tilleuls 1", Postcode: "7180", City: "Seneffe",
	}
}

// TestKindsOfGuardian: each kind of adult × each right, through every door of the gate: Right, ChildIDs, Holders,
// HoldersSQL and Children give the same answer, and those who may not know get the answer of a child that does not
// exist.
func TestKindsOfGuardian(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	mother := b.guardian(t, s, "anne@example.be")
	w := &world{s: s, b: b, child: addChild(t, s, mother.ID, leaForm()).ID}
	for _, k := range kinds(mother.ID) {
		id := k.make(t, w)
		for _, right := range household.Rights {
			want := slices.Contains(k.rights, right)
			err := s.Right(t.Context(), b.db, id, w.child, right, b.today())
			switch {
			case len(k.rights) == 0:
				wantProblem(t, err, problem.KindNotFound, "household.child_not_found")
			case !want:
				wantProblem(t, err, problem.KindForbidden, "household.right_missing")
			case err != nil:
				t.Errorf("%s, %s: got %v, want nil", k.name, right, err)
			}
			ids, err := s.ChildIDs(t.Context(), b.db, id, right, b.today())
			if err != nil {
				t.Fatal(err)
			}
			holders, err := s.Holders(t.Context(), b.db, w.child, right, b.today())
			if err != nil {
				t.Fatal(err)
			}
			var bulk bool
			err = b.db.QueryRow(t.Context(), `SELECT EXISTS (SELECT 1 FROM (`+household.HoldersSQL("$3::date", right)+`) AS h
				WHERE h.guardian_id = $1 AND h.child_id = $2)`, id, w.child, b.today()).Scan(&bulk)
			if err != nil {
				t.Fatal(err)
			}
			if got := [3]bool{len(ids) == 1, slices.Contains(holders, id), bulk}; got != [3]bool{want, want, want} {
				t.Errorf("%s, %s: ChildIDs, Holders, HoldersSQL say %v, want %v", k.name, right, got, want)
			}
		}
		children, err := s.Children(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(children) == 1; got != (len(k.rights) > 0) {
			t.Errorf("%s sees %d children", k.name, len(children))
		}
	}
}

// TestBlockNeverLapses: the end that a decision names is a task; the block itself holds until somebody lifts it.
func TestBlockNeverLapses(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	mother, father := b.guardian(t, s, "anne@example.be"), b.guardian(t, s, "bert@example.be")
	child := addChild(t, s, mother.ID, leaForm())
	if err := s.Grant(t.Context(), command, father.ID, child.ID, household.Grant{Basis: household.BasisParentalAuthority}); err != nil {
		t.Fatal(err)
	}
	_, err := s.Block(t.Context(), command, father.ID, child.ID, household.BlockForm{})
	wantFields(t, err, "decision=household.required", "until=household.block_until_needed")
	_, err = s.Block(t.Context(), command, father.ID, uuid.New(), household.BlockForm{Decision: "x", Until: b.today()})
	wantProblem(t, err, problem.KindNotFound, "household.child_not_found")

	until := b.today().AddDays(90)
	block, err := s.Block(t.Context(), command, father.ID, child.ID, household.BlockForm{Decision: "TJ 2026/7", Until: until})
	if err != nil {
		t.Fatal(err)
	}
	ending := func(want int) {
		t.Helper()
		if n, err := s.BlocksEnding(t.Context()); err != nil || n != want {
			t.Errorf("%d blocks end (%v), want %d", n, err, want)
		}
		var tasks int
		err := b.db.QueryRow(t.Context(), `SELECT count(*) FROM task WHERE kind = 'block_ending' AND subject_id = $1 AND done_at IS NULL`, block.ID.String()).Scan(&tasks)
		if err != nil || tasks != want {
			t.Errorf("%d tasks (%v), want %d", tasks, err, want)
		}
	}
	sees := func() error {
		return s.Right(t.Context(), b.db, father.ID, child.ID, household.RightSee, b.today())
	}
	ending(0)
	b.now = b.now.AddDate(0, 0, 61) // less than a month before the end
	ending(1)
	ending(1)                      // once
	b.now = b.now.AddDate(1, 0, 0) // long after the end
	wantProblem(t, sees(), problem.KindNotFound, "household.child_not_found")
	// A prolonged decision replaces the former and answers the question.
	again, err := s.Block(t.Context(), command, father.ID, child.ID, household.BlockForm{Decision: "TJ 2027/9", Until: b.today().AddDays(400)})
	if err != nil || again.ID != block.ID || again.ValidFrom != block.ValidFrom {
		t.Fatalf("prolonged: %+v (%v)", again, err)
	}
	ending(0)
	if err := s.Unblock(t.Context(), command, block.ID, b.today(), "Jugement du 1er juin"); err != nil {
		t.Fatal(err)
	}
	if err := sees(); err != nil {
		t.Errorf("lifted: %v", err)
	}
	wantProblem(t, s.Right(t.Context(), b.db, father.ID, child.ID, household.RightSee, b.today().AddDays(-1)), problem.KindNotFound, "")
	wantProblem(t, s.Unblock(t.Context(), command, block.ID, b.today(), "x"), problem.KindNotFound, "household.block_not_found")
}

// TestMembers: a member acts for the organisation on its days alone, and the audit names the member.
func TestMembers(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	home, err := s.AddOrganisation(t.Context(), command, homeForm())
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.AddOrganisation(t.Context(), command, household.GuardianForm{Phone: "+3264556677", Street: "x", Postcode: "7180", City: "y"})
	wantFields(t, err, "last_name=household.required")
	account := b.account(t, "educator@example.be")
	day := b.today()
	if err := s.AddMember(t.Context(), command, home.ID, account, day, day.AddDays(9)); err != nil {
		t.Fatal(err)
	}
	wantProblem(t, s.AddMember(t.Context(), command, home.ID, account, day.AddDays(9), day.AddDays(20)), problem.KindConflict, "household.member_already")
	person := b.guardian(t, s, "anne@example.be")
	wantProblem(t, s.AddMember(t.Context(), command, person.ID, account, day, day), problem.KindNotFound, "household.organisation_not_found")

	ctx := audit.WithAccount(context.WithoutCancel(t.Context()), account)
	f := leaForm()
	f.Basis = household.BasisPlacement
	child, err := s.AddChild(ctx, home.ID, f)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := audit.List(t.Context(), b.db, "child", child.ID.String(), 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.ActorKind != "account" || e.ActorID != account.String() {
			t.Errorf("%s by %s:%s, want the member", e.Action, e.ActorKind, e.ActorID)
		}
	}
	for _, c := range []struct{ days, want int }{{0, 1}, {9, 1}, {10, 0}} {
		b.now = b.now.AddDate(0, 0, c.days)
		acts, err := s.ActsFor(t.Context(), account)
		if err != nil || len(acts) != c.want {
			t.Errorf("after %d days the member acts for %d guardians (%v), want %d", c.days, len(acts), err, c.want)
		}
		b.now = b.now.AddDate(0, 0, -c.days)
	}
	if err := s.EndMember(t.Context(), command, home.ID, account, day.AddDays(-1)); err != nil {
		t.Fatal(err)
	}
	if acts, err := s.ActsFor(t.Context(), account); err != nil || len(acts) != 0 {
		t.Errorf("a member that was taken off acts for %d (%v)", len(acts), err)
	}
	wantProblem(t, s.EndMember(t.Context(), command, home.ID, account, day), problem.KindNotFound, "household.member_not_found")
}

// TestConsenters: the other parent with authority, only where the commune asks, never one who is blocked.
func TestConsenters(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	mother, father, carer := b.guardian(t, s, "anne@example.be"), b.guardian(t, s, "bert@example.be"), b.guardian(t, s, "carl@example.be")
	child := addChild(t, s, mother.ID, leaForm())
	for id, basis := range map[uuid.UUID]household.Basis{father.ID: household.BasisParentalAuthority, carer.ID: household.BasisFosterCare} {
		if err := s.Grant(t.Context(), command, id, child.ID, household.Grant{Basis: basis}); err != nil {
			t.Fatal(err)
		}
	}
	want := func(asker uuid.UUID, want ...uuid.UUID) {
		t.Helper()
		got, err := s.Consenters(t.Context(), b.db, asker, child.ID, b.today())
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("got %v (%v), want %v", got, err, want)
		}
	}
	want(mother.ID)
	b.set(t, household.SettingConsent, "yes")
	want(mother.ID, father.ID)
	want(father.ID, mother.ID)
	want(carer.ID)
	if _, err := s.Block(t.Context(), command, father.ID, child.ID, household.BlockForm{Decision: "x", Until: b.today().AddDays(99)}); err != nil {
		t.Fatal(err)
	}
	want(mother.ID)
	want(father.ID)
}

func (b *bundle) set(t *testing.T, key, value string) {
	t.Helper()
	if _, err := b.db.Exec(t.Context(), `INSERT INTO setting (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = $2`, key, value); err != nil {
		t.Fatal(err)
	}
}
