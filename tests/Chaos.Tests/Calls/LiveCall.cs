using System.Diagnostics;
using WebRtcIms.Tests.Common.Users;

namespace WebRtcIms.Chaos.Tests.Calls;

/// <summary>What became of a call.</summary>
/// <param name="Sent">Datagrams of its media.</param>
/// <param name="Missing">Those that did not arrive.</param>
/// <param name="Silence">How long it had no media, because its TURN node was gone.</param>
/// <param name="Problem">Why it could not be ended; null if it could.</param>
internal sealed record Verdict(int Sent, int Missing, TimeSpan Silence, string? Problem);

/// <summary>A call of two pages, with media through a TURN node. If the node is gone, the media moves to the other one.</summary>
internal sealed class LiveCall : IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan CheckInterval = TimeSpan.FromMilliseconds(250);

    // A server that does not answer for so long is gone.
    private static readonly TimeSpan Consent = TimeSpan.FromSeconds(2);

    private readonly Page _caller;
    private readonly Page _callee;
    private readonly SipText _invite;
    private readonly CancellationTokenSource _end = new();
    private readonly Task _following;
    private int _node;
    private RelayedMedia _media;
    private int _sent;
    private int _missing;
    private TimeSpan _silence;

    private LiveCall(Page caller, Page callee, SipText invite, int node, RelayedMedia media)
    {
        (_caller, _callee, _invite, _node, _media) = (caller, callee, invite, node, media);
        _following = FollowAsync();
    }

    /// <param name="gateway">Where both pages are.</param>
    /// <param name="caller">The session of the caller.</param>
    /// <param name="callee">The session of the callee.</param>
    /// <param name="node">Which TURN node relays.</param>
    public static async Task<LiveCall> StartAsync(Uri gateway, WebUser caller, WebUser callee, int node)
    {
        var (one, other) = (await Page.OpenAsync(gateway, caller), await Page.OpenAsync(gateway, callee));
        var (credential, servers) = await caller.GetTurnTokenAsync();
        var invite = await one.Sip.CallAsync(other.Sip);
        return new LiveCall(one, other, invite, node, await RelayedMedia.StartAsync(servers[node], credential));
    }

    /// <summary>Ends the call as its callee does, and judges it.</summary>
    public async Task<Verdict> EndAsync()
    {
        await _end.CancelAsync();
        await _following;
        await StopMediaAsync();

        var waited = Stopwatch.StartNew();
        while (!(_caller.IsOnline && _callee.IsOnline) && waited.Elapsed < Limit) await Task.Delay(50);
        var problem = await Record.ExceptionAsync(() => _callee.Sip.HangUpAsync(_invite, _caller.Sip));
        return new Verdict(_sent, _missing, _silence, problem?.Message);
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _following;
        await _media.DisposeAsync();
        await _caller.DisposeAsync();
        await _callee.DisposeAsync();
        _end.Dispose();
    }

    private async Task StopMediaAsync()
    {
        _media.Patience = TimeSpan.FromSeconds(1);
        _missing += await _media.StopAsync();
        _sent += _media.Sent;
    }

    // As consent checks and an ICE restart do.
    private async Task FollowAsync()
    {
        try
        {
            while (true)
            {
                var began = Stopwatch.GetTimestamp();
                await Task.Delay(CheckInterval, _end.Token);
                if (await _media.IsServedAsync(Consent)) continue;
                await StopMediaAsync();
                await _media.DisposeAsync();
                while (!await TryMoveAsync()) await Task.Delay(CheckInterval, _end.Token);
                _silence += Stopwatch.GetElapsedTime(began);
            }
        }
        catch (OperationCanceledException) when (_end.IsCancellationRequested)
        {
            // The call ends.
        }
    }

    private async Task<bool> TryMoveAsync() => await Record.ExceptionAsync(async () =>
    {
        var (credential, servers) = await _caller.Web.GetTurnTokenAsync();
        _node = 1 - _node;
        _media = await RelayedMedia.StartAsync(servers[_node], credential);
    }) is null;
}
