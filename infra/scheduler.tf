locals {
  # what runs, when, and how long it may take: the dispatcher's own timeout ends it in any case
  schedule = {
    reconcile = { at = "* * * * *", deadline_s = 55, what = "finds what got lost and sends it again" }
    cleanup   = { at = "17 3 * * *", deadline_s = var.dispatcher.timeout_s, what = "deletes what has expired" }
  }
}

resource "google_cloud_scheduler_job" "call" {
  for_each = local.schedule

  name             = "${var.name}-${each.key}"
  region           = var.region
  description      = each.value.what
  schedule         = each.value.at
  time_zone        = "Etc/UTC"
  attempt_deadline = "${each.value.deadline_s}s"

  http_target {
    http_method = "POST"
    uri         = "${local.dispatcher_url}/internal/${each.key}"

    oidc_token {
      service_account_email = google_service_account.identity["scheduler"].email
      audience              = local.dispatcher_url
    }
  }

  depends_on = [google_project_service.api]
}
