package connector

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Profile is what differs between the series of Odoo and cannot be read off
// fields_get. Whether a field exists is never in here: the server is asked.
type Profile struct {
	// Series is the main version number, 14 to 19.
	Series int
	// DefaultState is the state of a registration created without one.
	DefaultState string
	// ConfirmedStates are the states of a registration that take a seat. In no
	// series does a draft hold one.
	ConfirmedStates []string
	// FullRefusesDrafts says that a draft cannot be created when no seat is
	// left, although it would take none.
	FullRefusesDrafts bool
	// AutoConfirms says that an event may open a draft by itself when it is
	// created; see Event.AutoConfirm.
	AutoConfirms bool
	// SaleStart and SaleEnd are the ticket fields with the sale period.
	SaleStart, SaleEnd string
	// SaleByDay says that these are dates, inclusive, not instants.
	SaleByDay bool
	// CancelledStage is the external id of the stage of cancelled events; ""
	// where the kanban state says it.
	CancelledStage string
	// CancelledKanban is the kanban state of cancelled events; "" where the
	// stage says it.
	CancelledKanban string
	// StoredSeats says that a registration touches its event's write_date,
	// because the seat counts are columns.
	StoredSeats bool
	// RightsMethod is the public method that tells a user's rights on a model.
	RightsMethod string
	// Deprecated says that the server announces the end of XML-RPC.
	Deprecated bool
}

const cancelledStage = "event.event_stage_cancelled"

var confirmedStates = []string{"open", "done"}

// profiles lists the known series in ascending order.
var profiles = []Profile{
	{Series: 14, DefaultState: "draft", ConfirmedStates: confirmedStates, FullRefusesDrafts: true, AutoConfirms: true, SaleStart: "start_sale_date", SaleEnd: "end_sale_date", SaleByDay: true, CancelledStage: cancelledStage, StoredSeats: true, RightsMethod: "check_access_rights"},
	{Series: 15, DefaultState: "draft", ConfirmedStates: confirmedStates, FullRefusesDrafts: true, AutoConfirms: true, SaleStart: "start_sale_datetime", SaleEnd: "end_sale_datetime", CancelledStage: cancelledStage, StoredSeats: true, RightsMethod: "check_access_rights"},
	{Series: 16, DefaultState: "draft", ConfirmedStates: confirmedStates, AutoConfirms: true, SaleStart: "start_sale_datetime", SaleEnd: "end_sale_datetime", CancelledStage: cancelledStage, RightsMethod: "check_access_rights"},
	{Series: 17, DefaultState: "open", ConfirmedStates: confirmedStates, SaleStart: "start_sale_datetime", SaleEnd: "end_sale_datetime", CancelledStage: cancelledStage, RightsMethod: "check_access_rights"},
	{Series: 18, DefaultState: "open", ConfirmedStates: confirmedStates, SaleStart: "start_sale_datetime", SaleEnd: "end_sale_datetime", CancelledStage: cancelledStage, RightsMethod: "has_access"},
	{Series: 19, DefaultState: "open", ConfirmedStates: confirmedStates, SaleStart: "start_sale_datetime", SaleEnd: "end_sale_datetime", CancelledKanban: "cancel", RightsMethod: "has_access", Deprecated: true},
}

// profileFor returns the profile of a series; an unknown one is treated as the
// nearest known, and known is false.
func profileFor(series int) (p Profile, known bool) {
	i, known := slices.BinarySearchFunc(profiles, series, func(p Profile, s int) int { return p.Series - s })
	return profiles[min(i, len(profiles)-1)], known
}

// Version is what a server says about itself.
type Version struct {
	// Text is the server's own version text, as in "17.0" or "saas~17.4+e".
	Text string
	// Series is the main version number; 0 when the text tells none.
	Series int
}

// versionOf reads the answer of common.version.
func versionOf(v any) (Version, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return Version{}, &Fault{Kind: KindProtocol, Code: CodeNotOdoo, Method: "version", Message: fmt.Sprintf("The server answered its version with %T: no Odoo.", v)}
	}
	text, ok := m["server_version"].(string)
	if !ok || text == "" {
		return Version{}, &Fault{Kind: KindProtocol, Code: CodeNotOdoo, Method: "version", Message: "The server does not tell its version: no Odoo."}
	}
	version := Version{Text: tidy(text)}
	if info, ok := m["server_version_info"].([]any); ok && len(info) > 0 {
		switch major := info[0].(type) {
		case int64:
			version.Series = int(major)
		case string:
			version.Series = leadingNumber(strings.TrimPrefix(major, "saas~"))
		}
	}
	if version.Series == 0 {
		version.Series = leadingNumber(strings.TrimPrefix(strings.TrimPrefix(text, "saas~"), "saas-"))
	}
	return version, nil
}

func leadingNumber(s string) int {
	end := 0
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	n, err := strconv.Atoi(s[:end])
	if err != nil {
		return 0
	}
	return n
}
