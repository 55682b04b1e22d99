package portal

// staffFamilyRoutes are the pages of the office about families: who may do what for a child, doubles, lists and letters.
func (s *server) staffFamilyRoutes() []route {
	const (
		families = "/gestion/familles"
		link     = "/gestion/liens/" + idPart + "/{child:" + uuidPattern + "}"
		double   = "/gestion/doublons/" + idPart
		body     = "/gestion/organismes/" + idPart
		access   = "/gestion/adultes/" + idPart + "/acces"
	)
	return []route{
		{get, families, maySee, s.staffFamilies},
		{post, families + "/reglages", maySet, s.staffFamiliesSettings},
		{get, families + "/" + idPart, maySee, s.staffFamily},
		{get, link, mayDecide, s.staffLink},
		{post, link, mayDecide, s.staffLinkSave},
		{post, link + "/fin", mayDecide, s.staffLinkEnd},
		{post, link + "/bloquer", mayDecide, s.staffBlock},
		{post, "/gestion/blocages/" + idPart + "/lever", mayDecide, s.staffUnblock},
		{get, "/gestion/doublons", maySee, s.staffDoubles},
		{get, double, maySee, s.staffDouble},
		{post, double + "/fusionner", mayDecide, s.staffMerge},
		{post, double + "/distincts", mayDecide, s.staffDistinct},
		{get, families + "/import", mayDecide, s.staffImport},
		{post, families + "/import", mayDecide, s.staffImportRun},
		{get, families + "/import/" + idPart, mayDecide, s.staffImportShow},
		{get, families + "/import/" + idPart + "/resultat.xlsx", mayDecide, s.staffImportResult},
		{post, families + "/import/" + idPart + "/confirmer", mayDecide, s.staffImportConfirm},
		{get, families + "/modele-families.xlsx", mayDecide, s.staffImportModel("families")},
		{get, families + "/modele-register.xlsx", mayDecide, s.staffImportModel("register")},
		{get, families + "/lettres", mayDecide, s.staffLetters},
		{post, families + "/lettres", mayDecide, s.staffLettersIssue},
		{get, families + "/lettres/imprimer", mayDecide, s.staffLettersPrint},
		{post, families + "/lettres/courriels", mayDecide, s.staffLettersMailAll},
		{get, access, maySee, s.staffAccess},
		{post, access + "/courriel", mayDecide, s.staffAccessMail},
		{post, access + "/lettre", mayDecide, s.staffAccessLetter},
		{post, access + "/gsm", mayDecide, s.staffAccessOpen},
		{post, access + "/mot-de-passe", mayDecide, s.staffAccessReset},
		{get, access + "/imprimer", mayDecide, s.staffAccessPrint},
		{get, "/gestion/organismes", maySee, s.staffBodies},
		{post, "/gestion/organismes", mayDecide, s.staffBodyAdd},
		{post, body + "/membres", mayDecide, s.staffMemberAdd},
		{post, body + "/membres/fin", mayDecide, s.staffMemberEnd},
	}
}
