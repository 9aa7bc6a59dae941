resource "google_monitoring_notification_channel" "email" {
  for_each = var.alert_emails

  display_name = each.key
  type         = "email"
  labels       = { email_address = each.key }

  depends_on = [google_project_service.api]
}

locals {
  notified = [for channel in google_monitoring_notification_channel.email : channel.id]

  of_service = { for service in ["dispatcher", "worker"] : service => "resource.type = \"cloud_run_revision\" AND resource.label.service_name = \"${var.name}-${service}\"" }
  requests   = "resource.type = \"cloud_run_revision\" AND resource.label.service_name = monitoring.regex.full_match(\"${var.name}-(dispatcher|worker)\") AND metric.type = \"run.googleapis.com/request_count\""
  of_queues  = "resource.type = \"cloud_tasks_queue\" AND resource.label.queue_id = monitoring.regex.full_match(\"${var.name}-(high|normal|low)-${random_id.queues.hex}\")"
  of_log     = { for name in keys(local.log_metrics) : name => "resource.type = \"cloud_run_revision\" AND metric.type = \"logging.googleapis.com/user/${google_logging_metric.line[name].name}\"" }

  # docs/operations.md has a section for each
  alerts = {
    error-ratio = {
      what        = "more than 5 % of a service's answers are 5xx"
      severity    = "CRITICAL"
      filter      = "${local.requests} AND metric.label.response_code_class = \"5xx\""
      denominator = local.requests
      above       = 0.05
      lasts       = "300s"
      aligner     = "ALIGN_RATE"
      reducer     = "REDUCE_SUM"
      by          = ["resource.label.service_name"]
    }
    backlog = {
      what     = "more than 100 tasks wait in a queue"
      severity = "WARNING"
      filter   = "${local.of_queues} AND metric.type = \"cloudtasks.googleapis.com/queue/depth\""
      above    = 100
      lasts    = "900s"
      aligner  = "ALIGN_MEAN"
      reducer  = "REDUCE_MAX"
      by       = ["resource.label.queue_id"]
    }
    latency = {
      what     = "one answer in 20 takes longer than 500 ms"
      severity = "WARNING"
      filter   = local.of_log["http_request_seconds"]
      above    = 0.5
      lasts    = "600s"
      aligner  = "ALIGN_DELTA"
      reducer  = "REDUCE_PERCENTILE_95"
      by       = []
    }
    drift = {
      what     = "a job's counters differed from its rows"
      severity = "CRITICAL"
      filter   = local.of_log["ledger_drift"]
      above    = 0
      lasts    = "0s"
      aligner  = "ALIGN_DELTA"
      reducer  = "REDUCE_SUM"
      by       = []
    }
    reconciler-silent = {
      what     = "no reconciliation has come to its end for ten minutes"
      severity = "CRITICAL"
      filter   = local.of_log["reconciler_calls"]
      above    = null # absent
      lasts    = "600s"
      aligner  = "ALIGN_DELTA"
      reducer  = "REDUCE_SUM"
      by       = []
    }
    worker-memory = {
      what     = "a worker uses more than 90 % of its memory"
      severity = "WARNING"
      filter   = "${local.of_service["worker"]} AND metric.type = \"run.googleapis.com/container/memory/utilizations\""
      above    = 0.9
      lasts    = "300s"
      aligner  = "ALIGN_PERCENTILE_99"
      reducer  = "REDUCE_MAX"
      by       = []
    }
    worker-cpu = {
      what     = "workers use more than 90 % of their CPU for a quarter of an hour"
      severity = "WARNING"
      filter   = "${local.of_service["worker"]} AND metric.type = \"run.googleapis.com/container/cpu/utilizations\""
      above    = 0.9
      lasts    = "900s"
      aligner  = "ALIGN_PERCENTILE_50"
      reducer  = "REDUCE_MAX"
      by       = []
    }
  }
}

resource "google_monitoring_alert_policy" "alert" {
  for_each = local.alerts

  display_name          = "${var.name}: ${each.value.what}"
  severity              = each.value.severity
  combiner              = "OR"
  notification_channels = local.notified

  conditions {
    display_name = each.value.what

    dynamic "condition_threshold" {
      for_each = each.value.above == null ? [] : [each.value]
      content {
        filter             = condition_threshold.value.filter
        denominator_filter = try(condition_threshold.value.denominator, null)
        comparison         = "COMPARISON_GT"
        threshold_value    = condition_threshold.value.above
        duration           = condition_threshold.value.lasts

        aggregations {
          alignment_period     = "60s"
          per_series_aligner   = condition_threshold.value.aligner
          cross_series_reducer = condition_threshold.value.reducer
          group_by_fields      = condition_threshold.value.by
        }

        dynamic "denominator_aggregations" {
          for_each = try([condition_threshold.value.denominator], [])
          content {
            alignment_period     = "60s"
            per_series_aligner   = condition_threshold.value.aligner
            cross_series_reducer = condition_threshold.value.reducer
            group_by_fields      = condition_threshold.value.by
          }
        }
      }
    }

    dynamic "condition_absent" {
      for_each = each.value.above == null ? [each.value] : []
      content {
        filter   = condition_absent.value.filter
        duration = condition_absent.value.lasts

        aggregations {
          alignment_period     = "60s"
          per_series_aligner   = condition_absent.value.aligner
          cross_series_reducer = condition_absent.value.reducer
        }
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "docs/operations.md, section `${each.key}`: what it means, what to look at, what to do."
  }

  alert_strategy {
    auto_close = "86400s"
  }

  depends_on = [google_project_service.api]
}
