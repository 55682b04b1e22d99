package finance

import (
	"context"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/ledger"
)

// Accounts are the accounts of the commune's books that the ledger is posted to (settings account.*). The defaults
// follow the plan of municipal accounts (arrêté du Gouvernement wallon of 5 July 2007, RGCC, annex); the finance officer
// writes the commune's own.
type Accounts struct {
	Debtors  string // what families owe
	Revenue  string // camps and options
	Fees     string // reminders and cancellations
	Losses   string // debts that are given up
	Bank     string // transfers
	Cash     string // notes and coins at the counter
	Online   string // providers and terminals, until they pay out
	Transfer string // credits between two registrations
}

// AccountsOf reads the accounts from the commune's settings.
func AccountsOf(settings map[string]string) Accounts {
	return Accounts{
		Debtors: settings["account.debtors"], Revenue: settings["account.revenue"], Fees: settings["account.fees"], Losses: settings["account.losses"],
		Bank: settings["account.bank"], Cash: settings["account.cash"], Online: settings["account.online"], Transfer: settings["account.transfer"],
	}
}

// money is the account on which money of a source lies.
func (a Accounts) money(source string) string {
	switch source {
	case "bank", "transfer":
		return a.Bank
	case "cash":
		return a.Cash
	case "credit":
		return a.Transfer
	}
	return a.Online
}

// Posting is one side of a line in double entry: an amount on the debit or on the credit of an account.
type Posting struct {
	Entry
	Account string
	Debit   civil.Cents
	Credit  civil.Cents
}

// Post writes a line of the ledger in double entry: two postings of one amount on opposite sides, so that whatever is
// posted is balanced, and the debtors' account holds what is owed.
func (a Accounts) Post(e Entry) [2]Posting {
	debit, credit := a.Debtors, a.Debtors
	switch e.Kind {
	case ledger.Charge:
		credit = a.Revenue
	case ledger.Fee:
		credit = a.Fees
	case ledger.Refund:
		credit = a.money(e.Source)
	case ledger.Reduction:
		debit = a.Revenue
	case ledger.WriteOff:
		debit = a.Losses
	case ledger.Payment:
		debit = a.money(e.Source)
	}
	return [2]Posting{{Entry: e, Account: debit, Debit: e.Cents}, {Entry: e, Account: credit, Credit: e.Cents}}
}

// Postings returns the day book of a period in double entry.
func (s *Store) Postings(ctx context.Context, p Period) ([]Posting, error) {
	settings, err := camp.AllSettings(ctx, s.q)
	if err != nil {
		return nil, err
	}
	entries, err := s.DayBook(ctx, p, Range{})
	if err != nil {
		return nil, err
	}
	accounts := AccountsOf(settings)
	all := make([]Posting, 0, 2*len(entries))
	for _, e := range entries {
		both := accounts.Post(e)
		all = append(all, both[0], both[1])
	}
	return all, nil
}
