namespace WebRtcIms.ServiceDefaults.Certificates;

/// <summary>
/// All certificates of this process: reads their files every two seconds, and reports their ends in the metric
/// <c>tls.certificate.remaining</c> and in <c>/health</c>.
/// </summary>
public sealed class CertificateWatch : IHealthCheck, IDisposable
{
    private const string Name = "certificates";

    // Read, not watched: a renewed certificate often arrives as another target of a link, which no watcher of the file reports.
    private static readonly TimeSpan ReadInterval = TimeSpan.FromSeconds(2);

    private readonly TimeProvider _time;
    private readonly ILogger<WatchedCertificate> _logger;
    private readonly Lock _gate = new();
    private readonly List<WatchedCertificate> _certificates = [];
    private ITimer? _timer;

    public CertificateWatch(TimeProvider time, IMeterFactory meters, ILogger<WatchedCertificate> logger)
    {
        (_time, _logger) = (time, logger);
        meters.Create("WebRtcIms.Certificates").CreateObservableGauge(
            "tls.certificate.remaining", Measure, "s", "Seconds until the end of the certificate that a setting names");
    }

    /// <summary>Registers the watch once. A process without certificates has none.</summary>
    public static void AddTo(IServiceCollection services)
    {
        if (services.Any(service => service.ServiceType == typeof(CertificateWatch))) return;
        services.AddSingleton<CertificateWatch>();
        services.AddHealthChecks().AddCheck<CertificateWatch>(Name);
    }

    /// <summary>Loads a certificate and watches its files. The same settings give the same certificate.</summary>
    /// <exception cref="CertificateException">The files cannot be used.</exception>
    public WatchedCertificate Watch(CertificateFiles files)
    {
        lock (_gate)
        {
            if (_certificates.Find(known => known.Files == files) is { } same) return same;
            if (LoadedCertificate.Load(files, out var problem) is not { } loaded) throw new CertificateException(problem!);
            var watched = new WatchedCertificate(files, loaded, _time, _logger);
            _certificates.Add(watched);
            _timer ??= _time.CreateTimer(_ => Poll(), null, ReadInterval, ReadInterval);
            return watched;
        }
    }

    /// <summary>Degraded, not unhealthy: a new process would have the same certificate, and calls without TLS go on.</summary>
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(Certificates.Find(certificate => certificate.Remaining <= TimeSpan.Zero) is { } ended
            ? HealthCheckResult.Degraded($"the certificate of {ended.Files.Setting} ended at {ended.End}")
            : HealthCheckResult.Healthy());

    public void Dispose() => _timer?.Dispose();

    private List<WatchedCertificate> Certificates
    {
        get
        {
            lock (_gate) return [.. _certificates];
        }
    }

    private void Poll()
    {
        lock (_gate)
        {
            foreach (var certificate in _certificates) certificate.Poll();
        }
    }

    private IEnumerable<Measurement<double>> Measure() => Certificates.Select(certificate =>
        new Measurement<double>(
            certificate.Remaining.TotalSeconds, new KeyValuePair<string, object?>("setting", certificate.Files.Setting)));
}
