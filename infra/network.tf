# Only where there is a Cloud SQL instance: it has no public address.

resource "google_compute_network" "private" {
  count = local.has_sql ? 1 : 0

  name                    = var.name
  auto_create_subnetworks = false

  depends_on = [google_project_service.api]
}

resource "google_compute_subnetwork" "services" {
  count = local.has_sql ? 1 : 0

  name                     = "${var.name}-services"
  network                  = google_compute_network.private[0].id
  region                   = var.region
  ip_cidr_range            = "10.20.0.0/22" # direct egress wants twice the addresses of all instances
  private_ip_google_access = true

  log_config {
    aggregation_interval = "INTERVAL_10_MIN"
    flow_sampling        = 0.1
    metadata             = "INCLUDE_ALL_METADATA"
  }
}

# Nobody in it is called by anybody.
resource "google_compute_firewall" "nobody_in" {
  count = local.has_sql ? 1 : 0

  name          = "${var.name}-nobody-in"
  network       = google_compute_network.private[0].id
  direction     = "INGRESS"
  source_ranges = ["0.0.0.0/0"]

  deny {
    protocol = "all"
  }
}

resource "google_compute_global_address" "sql" {
  count = local.has_sql ? 1 : 0

  name          = "${var.name}-sql"
  network       = google_compute_network.private[0].id
  purpose       = "VPC_PEERING"
  address_type  = "INTERNAL"
  prefix_length = 20
}

resource "google_service_networking_connection" "sql" {
  count = local.has_sql ? 1 : 0

  network                 = google_compute_network.private[0].id
  service                 = "servicenetworking.googleapis.com"
  reserved_peering_ranges = [google_compute_global_address.sql[0].name]
}
