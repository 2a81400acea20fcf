using System.Threading.Channels;
using WebRtcIms.Wwsf.Problems;
using WebRtcIms.Wwsf.Settings;

namespace WebRtcIms.Wwsf.Waf.Registration;

/// <summary>
/// The credentials of this client at the WAF. A client that registers itself has none at first, and while the WAF is asked whether it
/// still knows the client.
/// </summary>
internal sealed class ClientState(WwsfSettings settings, TimeProvider time)
{
    // A WAF that refuses each new registration must not make this client register again and again.
    private static readonly TimeSpan CheckInterval = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private readonly Channel<WafCredentials> _refusals = Channel.CreateBounded<WafCredentials>(1);
    private WafCredentials? _credentials = settings.Waf.Credentials;
    private Failure _failure = new("the registration has not begun");
    private DateTimeOffset _nextCheck;

    /// <summary>The credentials; or why there are none.</summary>
    public (WafCredentials? Credentials, Failure Failure) Current
    {
        get
        {
            lock (_gate) return (_credentials, _failure);
        }
    }

    public void Set(WafCredentials credentials)
    {
        lock (_gate) _credentials = credentials;
    }

    public void Fail(Failure failure)
    {
        lock (_gate) (_credentials, _failure) = (null, failure);
    }

    /// <summary>
    /// The WAF refused these credentials. Returns whether it is being asked for the reason; then the page should try again. It is asked
    /// once in a while, and only about a client that registered itself.
    /// </summary>
    public bool TryReport(WafCredentials refused)
    {
        lock (_gate)
        {
            if (settings.Waf.Credentials is not null) return false;
            if (!ReferenceEquals(_credentials, refused)) return true;
            var now = time.GetUtcNow();
            if (now < _nextCheck) return false;
            (_nextCheck, _credentials) = (now + CheckInterval, null);
            _failure = new("the WAF refused the client, and is asked whether it still knows it");
            _refusals.Writer.TryWrite(refused);
            return true;
        }
    }

    /// <summary>Waits for the next credentials that the WAF refused.</summary>
    public ValueTask<WafCredentials> NextRefusalAsync(CancellationToken cancellationToken) => _refusals.Reader.ReadAsync(cancellationToken);
}

internal static class FailureProblem
{
    /// <summary>The problem that a page gets.</summary>
    public static Problem ToProblem(this Failure failure) => failure.NeedsOperator ? Problem.WafRefused : Problem.WafUnavailable();
}
