using WebRtcIms.Wwsf.Telemetry;

namespace WebRtcIms.Wwsf.Sessions;

/// <summary>
/// Ends a session with all its rights: cookie, TURN tokens, registration, identity. The table has what Redis and the eP-CSCF do not
/// know yet, and <see cref="SessionSweep"/> retries that.
/// </summary>
internal sealed class SessionEnd(
    SessionRecords records, SessionRevocations revocations, SessionIdentities identities, AuditLog audit, TimeProvider time)
{
    /// <param name="session">The session.</param>
    /// <param name="reason">One of <see cref="EndReason"/>.</param>
    /// <param name="expires">The end of the cookie, if it is known.</param>
    public async Task EndAsync(WebSession session, string reason, DateTimeOffset? expires = null)
    {
        var (hasEnded, userId) = await records.EndAsync(session.Sid, expires);
        if (!hasEnded) return;
        audit.SessionEnded(session.Sid, userId, reason);
        var revoking = revocations.TryWriteAsync(session.Sid, time.GetUtcNow());
        var releasing = identities.ReleaseAsync(session);
        await records.CompleteAsync(await revoking ? [session.Sid] : [], await releasing ? [session.Sid] : []);
    }

    /// <summary>Ends the other sessions of the user, or some of them.</summary>
    public async Task EndOthersAsync(WebSession current, string reason, Predicate<OwnSession>? isMeant = null)
    {
        foreach (var other in await records.FindOthersAsync(current))
        {
            if (isMeant?.Invoke(other) is not false) await EndAsync(current with { Sid = other.Sid }, reason);
        }
    }
}
