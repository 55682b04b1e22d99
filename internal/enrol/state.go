package enrol

// State is where a registration stands. The table below is the law (domain.md): screens, mails, the mirror and the
// tests read it, and the database refuses any other move.
type State string

// The states.
const (
	Submitted       State = "submitted"
	ToValidate      State = "to_validate"
	Validated       State = "validated"
	AwaitingPayment State = "awaiting_payment"
	Waitlisted      State = "waitlisted"
	Offered         State = "offered"
	Confirmed       State = "confirmed"
	Completed       State = "completed"
	Refused         State = "refused"
	Declined        State = "declined"
	Expired         State = "expired"
	Withdrawn       State = "withdrawn"
	Cancelled       State = "cancelled"
	CampCancelled   State = "camp_cancelled"
)

// List is one of a parent's lists of registrations.
type List string

// The lists: still open, settled, and exits.
const (
	Pending List = "pending"
	Valid   List = "valid"
	Over    List = "over"
)

// Who acts next in a state.
const (
	ByCommune = "commune"
	ByFamily  = "family"
	ByNobody  = ""
)

// Info is one row of the state table.
type Info struct {
	State State
	To    []State // where it may go, taking back an exit apart
	List  List
	Next  string // who acts next
	Place bool   // whether it has places in its pools
	Exit  bool
	Odoo  string // state of the mirrored event.registration; "" is not mirrored unless it was before
}

// Label is the message key of the state's name on screen.
func (i Info) Label() string { return "state." + string(i.State) }

// leaves are the ways out that every open state has.
var leaves = []State{Withdrawn, Cancelled, CampCancelled}

// States is the table in the order of the journey.
var States = []Info{
	{State: Submitted, To: to(Validated, ToValidate, AwaitingPayment, Waitlisted, Refused), List: Pending, Next: ByCommune, Odoo: "draft"},
	{State: ToValidate, To: to(Validated, Confirmed, Waitlisted, Refused), List: Pending, Next: ByCommune, Place: true, Odoo: "draft"},
	{State: Validated, To: to(AwaitingPayment, Confirmed, ToValidate), List: Pending, Next: ByCommune, Place: true, Odoo: "draft"},
	{State: AwaitingPayment, To: to(Confirmed, ToValidate, Expired), List: Pending, Next: ByFamily, Place: true, Odoo: "draft"},
	{State: Waitlisted, To: to(Offered, Refused), List: Pending, Next: ByNobody},
	{State: Offered, To: to(Validated, ToValidate, AwaitingPayment, Waitlisted, Refused, Declined, Expired), List: Pending, Next: ByFamily, Place: true, Odoo: "draft"},
	{State: Confirmed, To: to(Completed, ToValidate), List: Valid, Next: ByNobody, Place: true, Odoo: "open"},
	{State: Completed, List: Valid, Next: ByNobody, Place: true, Odoo: "done"},
	{State: Refused, List: Over, Exit: true, Odoo: "cancel"},
	{State: Declined, List: Over, Exit: true, Odoo: "cancel"},
	{State: Expired, To: []State{Confirmed, ToValidate}, List: Over, Exit: true, Odoo: "cancel"},
	{State: Withdrawn, List: Over, Exit: true, Odoo: "cancel"},
	{State: Cancelled, List: Over, Exit: true, Odoo: "cancel"},
	{State: CampCancelled, List: Over, Exit: true, Odoo: "cancel"},
}

func to(states ...State) []State { return append(states, leaves...) }

var byState = func() map[State]Info {
	m := make(map[State]Info, len(States))
	for _, i := range States {
		m[i.State] = i
	}
	return m
}()

// Info returns the row of s; an unknown state is an empty row.
func (s State) Info() Info { return byState[s] }

// Leads reports whether s may become next in the course of things, or by staff who take back an exit.
func (s State) Leads(next State) bool {
	i := s.Info()
	for _, t := range i.To {
		if t == next {
			return true
		}
	}
	return i.Exit && !next.Info().Exit && next != Completed && next != ""
}
