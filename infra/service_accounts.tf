# One identity for each who acts; what each may do is in iam.tf, and nowhere else.
resource "google_service_account" "identity" {
  for_each = {
    dispatcher   = "takes jobs, fills the queues, signs links"
    worker       = "renders and stores pictures"
    migrator     = "changes the ledger's tables"
    task-invoker = "whose token tasks carry; no process runs as it"
    scheduler    = "whose token the scheduled calls carry; no process runs as it"
    deployer     = "builds and deploys"
  }

  account_id   = "${var.name}-${each.key}"
  display_name = "${var.name} ${each.key}"
  description  = each.value

  depends_on = [google_project_service.api]
}
