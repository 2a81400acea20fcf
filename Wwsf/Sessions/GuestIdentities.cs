using System.Collections.Concurrent;
using WebRtcIms.Wwsf.Ims;
using WebRtcIms.Wwsf.Problems;
using WebRtcIms.Wwsf.Settings;
using WebRtcIms.Wwsf.Telemetry;

namespace WebRtcIms.Wwsf.Sessions;

/// <summary>
/// Identities of guests (scenario 3). A guest who does not register soon loses the identity, and the session with it, because its tokens
/// could still register. So strangers who only request tokens cannot keep the pool from others.
/// </summary>
internal sealed class GuestIdentities(
    IdentityPool pool, Registrations registrations, SessionEnd sessions, SessionRevocations revocations, WwsfSettings settings,
    WwsfTelemetry telemetry, TimeProvider time)
{
    /// <summary>A page registers within this time. Before that it keeps its identity, also if another guest needs one.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    private const int MaxReviews = 5;
    private const int Parallelism = 8;

    // More of them are rare, and the next sweep has them.
    private const int MaxSwept = 500;

    /// <summary>The identity of the guest, newly leased if there is none; or the problem.</summary>
    public async Task<(ImsIdentity? Identity, Problem? Problem)> AssignAsync(
        WebSession guest, string? caller, CancellationToken cancellationToken)
    {
        // A guest who asks for another token has to be registered, or to register now. Asking does not extend the time for that.
        if (await pool.FindAsync(guest.Sid) is not null)
            await pool.SetRegisteredAsync(guest.Sid, await registrations.IsActiveAsync(guest.Sid, cancellationToken));

        var result = await pool.LeaseAsync(guest.Sid, caller);
        if (result is not (null, null)) return result;

        // The oldest guests without a registration give way.
        foreach (var lease in await pool.FindUnregisteredAsync(MaxReviews))
        {
            if (!await ConfirmAsync(lease, cancellationToken))
            {
                if (!IsOlderThan(lease, Grace)) continue;
                // If the eP-CSCF does not confirm one end, it is not asked for more.
                if (!await TryEndAsync(lease.Sid)) break;
            }

            result = await pool.LeaseAsync(guest.Sid, caller);
            if (result is not (null, null)) return result;
        }

        return (null, pool.Refuse());
    }

    /// <summary>The page can be registered until its token expires, so it keeps the identity until then.</summary>
    public async Task<Problem?> ExtendAsync(WebSession guest, TimeSpan duration) => await pool.ExtendAsync(guest.Sid, duration);

    /// <summary>Looks which guests have registered, and ends the sessions of those who have not in time.</summary>
    public async Task SweepAsync(CancellationToken cancellationToken)
    {
        var options = new ParallelOptions { MaxDegreeOfParallelism = Parallelism, CancellationToken = cancellationToken };
        var overdue = new ConcurrentQueue<string>();
        await Parallel.ForEachAsync(await pool.FindUnregisteredAsync(MaxSwept), options, async (lease, cancel) =>
        {
            if (!await ConfirmAsync(lease, cancel) && IsOlderThan(lease, settings.Pool.RegisterWithin)) overdue.Enqueue(lease.Sid);
        });
        // One after another, because the store of sessions has one connection.
        foreach (var sid in overdue)
        {
            if (!await TryEndAsync(sid)) return;
        }
    }

    private bool IsOlderThan(UnregisteredLease lease, TimeSpan age) => lease.Since + age <= time.GetUtcNow();

    private async Task<bool> ConfirmAsync(UnregisteredLease lease, CancellationToken cancellationToken)
    {
        if (!await registrations.IsActiveAsync(lease.Sid, cancellationToken)) return false;
        await pool.SetRegisteredAsync(lease.Sid, isRegistered: true);
        return true;
    }

    // The eP-CSCF has to refuse the tokens of the session before another guest gets the identity.
    private async Task<bool> TryEndAsync(string sid)
    {
        if (!await registrations.EndAsync(sid, revocations.EndOfTokens(time.GetUtcNow()))) return false;
        await sessions.EndAsync(new WebSession(sid, User: null), EndReason.NotRegistered);
        await pool.ReclaimAsync(sid);
        telemetry.CountReclaimed();
        return true;
    }
}
