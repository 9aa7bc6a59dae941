# Metrics made of the very lines that the services write. A test looks for each message and each field
# in the code (tests/infra/test_agrees_with_code.py), another reads by these filters what the services
# say on an eventful day (tests/journeys/test_log_metrics.py): a renamed line can not silence an alert.

locals {
  dispatcher_says = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"${var.name}-dispatcher\""
  worker_says     = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"${var.name}-worker\""
  either_says     = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=(\"${var.name}-dispatcher\" OR \"${var.name}-worker\")"

  # seconds: the field that is measured; without it, lines are counted
  log_metrics = {
    palette_upload_seconds = {
      what    = "storing a picture and its thumbnail"
      filter  = "${local.worker_says} AND jsonPayload.message=\"UPLOAD_COMPLETE\""
      seconds = "duration"
      labels  = []
    }
    palette_render_seconds = {
      what    = "recolouring and encoding a picture"
      filter  = "${local.worker_says} AND jsonPayload.message=\"picture rendered\""
      seconds = "seconds"
      labels  = []
    }
    attempt_seconds = {
      what    = "an attempt that succeeded, from claim to finish"
      filter  = "${local.worker_says} AND jsonPayload.message=\"attempt ends\" AND jsonPayload.outcome=\"completed\""
      seconds = "seconds"
      labels  = []
    }
    job_seconds = {
      what    = "a job, from its request to its end"
      filter  = "${local.either_says} AND jsonPayload.message=\"job_finished\""
      seconds = "overall_seconds"
      labels  = ["status"]
    }
    http_request_seconds = {
      what    = "answering a client that did not ask to wait, nor for an archive"
      filter  = "${local.dispatcher_says} AND jsonPayload.message=\"request answered\" AND jsonPayload.route=~\"^/v1/\" AND NOT jsonPayload.route=~\"/archive$\" AND NOT jsonPayload.waited=true"
      seconds = "seconds"
      labels  = ["route", "method"]
    }
    colorways_failed = {
      what    = "colorways that no retry could help"
      filter  = "${local.worker_says} AND jsonPayload.message=\"colorway failed\""
      seconds = null
      labels  = []
    }
    attempts_given_back = {
      what    = "attempts that another one will have to repeat"
      filter  = "${local.worker_says} AND jsonPayload.message=\"given back\""
      seconds = null
      labels  = []
    }
    ledger_drift = {
      what    = "jobs whose counters differed from their rows; must be 0"
      filter  = "${local.dispatcher_says} AND jsonPayload.message=\"counters were wrong\""
      seconds = null
      labels  = []
    }
    pictures_lost = {
      what    = "finished pictures that the store lost; they are rendered again"
      filter  = "${local.dispatcher_says} AND jsonPayload.message=\"picture lost\""
      seconds = null
      labels  = []
    }
    reconciler_calls = {
      what    = "reconciliations that came to their end"
      filter  = "${local.dispatcher_says} AND jsonPayload.message=\"request answered\" AND jsonPayload.route=\"/internal/reconcile\" AND jsonPayload.status=200"
      seconds = null
      labels  = []
    }
    reconciler_repairs = {
      what    = "reconciliations that found something lost, by its kind"
      filter  = "${local.dispatcher_says} AND jsonPayload.message=\"reconciled\""
      seconds = null
      labels  = ["kind"]
    }
  }
}

resource "google_logging_metric" "line" {
  for_each = local.log_metrics

  name        = each.key
  description = each.value.what
  filter      = each.value.filter

  value_extractor  = each.value.seconds == null ? null : "EXTRACT(jsonPayload.${each.value.seconds})"
  label_extractors = { for label in each.value.labels : label => "EXTRACT(jsonPayload.${label})" }

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = each.value.seconds == null ? "INT64" : "DISTRIBUTION"
    unit        = each.value.seconds == null ? "1" : "s"

    dynamic "labels" {
      for_each = each.value.labels
      content {
        key        = labels.value
        value_type = "STRING"
      }
    }
  }

  dynamic "bucket_options" {
    for_each = each.value.seconds == null ? [] : [each.value.seconds]
    content {
      exponential_buckets { # 5 ms to some 5 hours, each 1.4 times the last
        scale              = 0.005
        growth_factor      = 1.4
        num_finite_buckets = 45
      }
    }
  }

  depends_on = [google_project_service.api]
}
