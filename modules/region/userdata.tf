# What cloud-init is told at an instance's first boot: files, and the command that starts
# the units. Nothing in here is secret: whoever is on the instance can read it.

locals {
  # The canary is a device, too.
  allowed_types = length(var.allowed_types) == 0 ? [] : sort(setunion(var.allowed_types, ["canary"]))

  environment = {
    for key, name in local.ingestor_names : key => { for variable, value in {
      AWS_REGION              = local.region
      COAP_NAME               = name
      COAP_LISTEN             = ":5683"
      COAP_QUEUE_URL          = local.queue_url
      COAP_FALLBACK_QUEUE_URL = local.fallback_queue_url
      COAP_LINGER             = var.linger
      COAP_LOG_GROUP          = local.log_group_name
      COAP_REQUIRE_CLOCK      = "true"
      COAP_ALLOWED_TYPES      = join(",", local.allowed_types)
      COAP_IGNORE_SOURCES = join(",", sort(setunion(
        var.ignore_sources,
        [for other, eip in aws_eip.ingestor : eip.public_ip if other != key],
      )))
      # Of 512 MiB the daemon uses less than 170 by design, and the collector keeps to 200;
      # the unit's MemoryMax adds the kernel's socket buffers and room to notice a leak.
      GOMEMLIMIT = "200MiB"
    } : variable => value if value != null && value != "" }
  }

  artifact_environment = {
    AWS_REGION      = local.region
    ARTIFACT_BUCKET = local.bucket_name
    ARTIFACT_KEY    = local.artifact_key
    ARTIFACT_SHA256 = local.artifact_sha256
  }

  files = {
    for key, environment in local.environment : key => {
      "/etc/coap/artifact.env"                    = { mode = "0644", content = join("", [for k, v in local.artifact_environment : "${k}=${v}\n"]) }
      "/etc/coap/ingestor.env"                    = { mode = "0644", content = join("", [for k, v in environment : "${k}=${v}\n"]) }
      "/etc/sysctl.d/90-coap.conf"                = { mode = "0644", content = file("${path.module}/files/90-coap.conf") }
      "/etc/systemd/system/coap-install.service"  = { mode = "0644", content = file("${path.module}/files/coap-install.service") }
      "/etc/systemd/system/coap-ingestor.service" = { mode = "0644", content = file("${path.module}/files/coap-ingestor.service") }
      "/usr/local/sbin/coap-prepare"              = { mode = "0755", content = file("${path.module}/files/coap-prepare") }
      "/usr/local/sbin/coap-install"              = { mode = "0755", content = file("${path.module}/files/coap-install") }
    }
  }

  user_data = {
    for key, files in local.files : key => join("\n", ["#cloud-config", yamlencode({
      write_files = [for path, f in files : { path = path, permissions = f.mode, owner = "root:root", content = f.content }]
      runcmd      = [["/usr/local/sbin/coap-prepare"]]
    })])
  }
}
