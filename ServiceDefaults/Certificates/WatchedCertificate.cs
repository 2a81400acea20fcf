using System.Globalization;

namespace WebRtcIms.ServiceDefaults.Certificates;

/// <summary>
/// The certificate that the files have now. A renewal replaces it, whether a file is written, renamed, or a link changes its target. The
/// old one stays until the new one is complete and matches its key. A certificate that ends soon is logged.
/// </summary>
public sealed partial class WatchedCertificate
{
    private static readonly TimeSpan LongestWarning = TimeSpan.FromDays(14);
    private static readonly TimeSpan WarningInterval = TimeSpan.FromHours(12);

    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private LoadedCertificate _current;
    private string? _candidate;
    private string? _logged;
    private DateTimeOffset _warnAt;

    internal WatchedCertificate(CertificateFiles files, LoadedCertificate loaded, TimeProvider time, ILogger logger)
    {
        (Files, _current, _time, _logger) = (files, loaded, time, logger);
        WarnIfEnding();
    }

    public LoadedCertificate Current => Volatile.Read(ref _current);

    internal CertificateFiles Files { get; }

    internal TimeSpan Remaining => Current.Leaf.NotAfter.ToUniversalTime() - _time.GetUtcNow().UtcDateTime;

    // Programs that renew do so when a third of the lifetime is left.
    private bool IsEnding
    {
        get
        {
            var lifetime = Current.Leaf.NotAfter - Current.Leaf.NotBefore;
            return Remaining < (lifetime / 5 < LongestWarning ? lifetime / 5 : LongestWarning);
        }
    }

    /// <summary>Replaces the certificate if the files have another one that can be used.</summary>
    internal void Poll()
    {
        ReloadIfChanged();
        WarnIfEnding();
    }

    private void ReloadIfChanged()
    {
        var fingerprint = LoadedCertificate.FingerprintOf(Files) ?? "";
        if (fingerprint == Current.Fingerprint) (_candidate, _logged) = (null, null);
        // The first time, a program may still be writing one of the files.
        else if (fingerprint != _candidate) _candidate = fingerprint;
        else Replace();
    }

    private void Replace()
    {
        if (LoadedCertificate.Load(Files, out var problem) is { } loaded)
        {
            Volatile.Write(ref _current, loaded);
            (_candidate, _logged, _warnAt) = (null, null, default);
            LogReplaced(Files.Setting, End);
        }
        else if (_logged != problem)
        {
            _logged = problem;
            LogKept(problem!);
        }
    }

    private void WarnIfEnding()
    {
        var now = _time.GetUtcNow();
        if (!IsEnding || now < _warnAt) return;
        var isEnded = Remaining <= TimeSpan.Zero;
        if (isEnded) LogEnded(Files.Setting, End);
        else LogEnding(Files.Setting, End);

        // The end itself is news also.
        _warnAt = isEnded || Remaining > WarningInterval ? now + WarningInterval : now + Remaining;
    }

    /// <summary>The end in UTC.</summary>
    internal string End => Current.Leaf.NotAfter.ToUniversalTime().ToString("u", CultureInfo.InvariantCulture);

    [LoggerMessage(1, LogLevel.Information, "New TLS connections get the new certificate of {Setting}, until {NotAfter}")]
    private partial void LogReplaced(string setting, string notAfter);

    [LoggerMessage(2, LogLevel.Error, "The certificate was not replaced; the old one stays. {Problem}")]
    private partial void LogKept(string problem);

    [LoggerMessage(3, LogLevel.Warning, "The certificate of {Setting} ends at {NotAfter} and has not been renewed")]
    private partial void LogEnding(string setting, string notAfter);

    [LoggerMessage(4, LogLevel.Error, "The certificate of {Setting} ended at {NotAfter}; clients refuse it")]
    private partial void LogEnded(string setting, string notAfter);
}
