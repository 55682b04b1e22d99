package portal

import (
	"strconv"

	"ribambelle/internal/enrol"
	"ribambelle/portal/form"
)

// stateInfo is a row of the state table with the colour of its tag.
type stateInfo struct {
	enrol.Info
	Tag string // ok, wait, stop, info or ""
}

// StateInfo says how the state is shown.
func (r queueRow) StateInfo() stateInfo {
	i := stateInfo{Info: r.State.Info()}
	switch {
	case i.Exit:
		i.Tag = "stop"
	case r.State == enrol.Confirmed || r.State == enrol.Completed:
		i.Tag = "ok"
	case r.State == enrol.Waitlisted || r.State == enrol.Offered:
		i.Tag = "info"
	default:
		i.Tag = "wait"
	}
	return i
}

// CanRefuse reports whether the office may still refuse the request.
func (r queueRow) CanRefuse() bool { return r.State.Leads(enrol.Refused) }

// CanCancel reports whether the office may end the registration.
func (r queueRow) CanCancel() bool { return r.State.Leads(enrol.Cancelled) && !r.State.Info().Exit }

// CanRestore reports whether the office may take back an exit or an unpaid decision.
func (p *staffRegistrationPage) CanRestore() bool {
	switch p.Registration.State {
	case enrol.Validated, enrol.AwaitingPayment, enrol.Confirmed:
		return p.Total.Kept() <= 0
	}
	return p.Info.Exit
}

// Who names who did something: a person, or what acted instead.
func (p staffPage) Who(kind, name string) string {
	if name != "" {
		return name
	}
	return p.L.T("staff.actor." + kind)
}

// Say writes a label that is a message key, or words of the regulation as they are.
func (p staffPage) Say(label string, args []string) string {
	if !p.L.Has(label) {
		return label
	}
	values := make([]any, len(args))
	for i, a := range args {
		values[i] = a
	}
	return p.L.T(label, values...)
}

// known returns the message for a key that grows with other rooms, or the code itself.
func (p staffPage) known(prefix, code string) string {
	if key := prefix + code; p.L.Has(key) {
		return p.L.T(key)
	}
	return code
}

// Action says what was done, for a history.
func (p staffPage) Action(action string) string { return p.known("staff.done.", action) }

// Job names a job or a line of the schedule.
func (p staffPage) Job(kind string) string { return p.known("staff.job.", kind) }

// Reads says what a cursor reads from Odoo.
func (p staffPage) Reads(model string) string { return p.known("staff.odoo.reads.", model) }

// Outcome says how a line of the schedule ended.
func (p staffPage) Outcome(outcome string) string { return p.known("staff.outcome.", outcome) }

// Task says what to do.
func (p staffPage) Task(kind string) string { return p.known("task.", kind) }

// Source says where a line of the ledger comes from.
func (p staffPage) Source(source string) string { return p.known("staff.source.", source) }

// Sources are the ways in which staff see money arrive.
func (p staffPage) Sources() []choice {
	list := make([]choice, len(enrol.Sources))
	for i, source := range enrol.Sources {
		list[i] = choice{Value: source, Text: p.Source(source)}
	}
	return list
}

// Free is the number of places left, "" when there is no bound.
func (p *staffCampPage) Free() string {
	n, limited := p.Row.Pool().Free()
	if !limited {
		return ""
	}
	return strconv.Itoa(n)
}

// FormOf returns the inputs of a rule: as typed when that rule was refused, as stored otherwise.
func (p *staffSettingsPage) FormOf(r ruleRow) *form.Form {
	if r.Code == p.Rule {
		return p.RuleForm
	}
	return r.Form()
}

// Rule names a rule of the camp that staff let somebody pass.
func (p staffPage) Rule(rule string) string { return p.known("staff.passed.", rule) }

// How says how a family agreed.
func (p staffPage) How(how string) string { return p.known("consent.", how) }
