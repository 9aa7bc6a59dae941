# One page that shows what is wrong: what clients feel, what waits, what the workers do, what was lost.
resource "google_monitoring_dashboard" "service" {
  dashboard_json = templatefile("${path.module}/dashboards/service.json.tftpl", {
    name   = var.name
    charts = local.charts
  })

  depends_on = [google_project_service.api]
}

locals {
  run_metric = { for service, filter in local.of_service : service => "${filter} AND metric.type = \"run.googleapis.com" }

  charts = [
    { title = "Answers by class, per second", filter = "${local.run_metric["dispatcher"]}/request_count\"", aligner = "ALIGN_RATE", reducer = "REDUCE_SUM", by = ["metric.label.response_code_class"] },
    { title = "Seconds to answer, 95th percentile by route", filter = local.of_log["http_request_seconds"], aligner = "ALIGN_DELTA", reducer = "REDUCE_PERCENTILE_95", by = ["metric.label.route"] },
    { title = "Tasks waiting, by queue", filter = "${local.of_queues} AND metric.type = \"cloudtasks.googleapis.com/queue/depth\"", aligner = "ALIGN_MEAN", reducer = "REDUCE_SUM", by = ["resource.label.queue_id"] },
    { title = "Task attempts by answer, per second", filter = "${local.of_queues} AND metric.type = \"cloudtasks.googleapis.com/queue/task_attempt_count\"", aligner = "ALIGN_RATE", reducer = "REDUCE_SUM", by = ["metric.label.response_code"] },
    { title = "Seconds of a job, 95th percentile by status", filter = local.of_log["job_seconds"], aligner = "ALIGN_DELTA", reducer = "REDUCE_PERCENTILE_95", by = ["metric.label.status"] },
    { title = "Seconds of an attempt, median", filter = local.of_log["attempt_seconds"], aligner = "ALIGN_DELTA", reducer = "REDUCE_PERCENTILE_50", by = [] },
    { title = "Seconds of a render, median", filter = local.of_log["palette_render_seconds"], aligner = "ALIGN_DELTA", reducer = "REDUCE_PERCENTILE_50", by = [] },
    { title = "Seconds of an upload, 95th percentile", filter = local.of_log["palette_upload_seconds"], aligner = "ALIGN_DELTA", reducer = "REDUCE_PERCENTILE_95", by = [] },
    { title = "Colorways failed", filter = local.of_log["colorways_failed"], aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = [] },
    { title = "Attempts given back", filter = local.of_log["attempts_given_back"], aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = [] },
    { title = "What the reconciler repaired", filter = local.of_log["reconciler_repairs"], aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = ["metric.label.kind"] },
    { title = "Reconciliations", filter = local.of_log["reconciler_calls"], aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = [] },
    { title = "Counters that were wrong", filter = local.of_log["ledger_drift"], aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = [] },
    { title = "Pictures the store lost", filter = local.of_log["pictures_lost"], aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = [] },
    { title = "Worker instances, by state", filter = "${local.run_metric["worker"]}/container/instance_count\"", aligner = "ALIGN_MAX", reducer = "REDUCE_SUM", by = ["metric.label.state"] },
    { title = "Worker memory, 99th percentile", filter = "${local.run_metric["worker"]}/container/memory/utilizations\"", aligner = "ALIGN_PERCENTILE_99", reducer = "REDUCE_MAX", by = [] },
    { title = "Worker CPU, median", filter = "${local.run_metric["worker"]}/container/cpu/utilizations\"", aligner = "ALIGN_PERCENTILE_50", reducer = "REDUCE_MAX", by = [] },
  ]
}
