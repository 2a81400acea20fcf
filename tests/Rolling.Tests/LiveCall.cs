using System.Diagnostics;
using WebRtcIms.Tests.Common.Users;

namespace WebRtcIms.Rolling.Tests;

/// <summary>
/// A call of two guests: a dialogue, and media through a TURN node. As their pages do, they connect and register again when a connection
/// ends.
/// </summary>
internal sealed class LiveCall : IAsyncDisposable
{
    // Four datagrams a second. A hundred calls of fifty would keep two processors busy with the test itself.
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);

    private readonly RollingSystem _system;
    private readonly End[] _ends;
    private readonly SipText _invite;
    private RelayedMedia _media;

    private LiveCall(RollingSystem system, End[] ends, SipText invite, int node, RelayedMedia media) =>
        (_system, _ends, _invite, Node, _media) = (system, ends, invite, node, media);

    /// <summary>The number of the TURN node that relays.</summary>
    public int Node { get; private set; }

    /// <summary>The longest time that either page was not registered.</summary>
    public TimeSpan LongestOffline => _ends.Max(end => end.LongestOffline);

    public static async Task<LiveCall> StartAsync(RollingSystem system, int node)
    {
        var caller = await End.GoOnlineAsync(system.Page);
        var callee = await End.GoOnlineAsync(system.Page);
        var invite = await caller.Sip.CallAsync(callee.Sip);
        return new LiveCall(system, [caller, callee], invite, node, await StartMediaAsync(system, caller, node));
    }

    /// <summary>
    /// The node of the call has ended, and the media goes on through another. The page does so by itself (docs/page.md).
    /// </summary>
    /// <param name="node">The other node.</param>
    /// <param name="promised">The moment until which the first node had to relay.</param>
    /// <returns>How many datagrams that were sent until then did not arrive.</returns>
    public async Task<int> MoveAsync(int node, long promised)
    {
        var lost = await _media.AbandonAsync(promised);
        await _media.DisposeAsync();
        _media = await StartMediaAsync(_system, _ends[0], node);
        Node = node;
        return lost;
    }

    /// <summary>Ends the call as its callee does.</summary>
    /// <returns>How many datagrams of the last node did not arrive.</returns>
    public async Task<int> EndAsync()
    {
        foreach (var end in _ends) await end.UntilOnlineAsync();
        await _ends[1].Sip.HangUpAsync(_invite, _ends[0].Sip);
        return await _media.StopAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _media.DisposeAsync();
        foreach (var end in _ends) await end.DisposeAsync();
    }

    private static async Task<RelayedMedia> StartMediaAsync(RollingSystem system, End end, int node)
    {
        var (credential, servers) = await end.Web.GetTurnTokenAsync();
        return await RelayedMedia.StartAsync(servers.Single(server => server.Port == system.TurnPortOf(node)), credential, Interval);
    }

    /// <summary>A guest who stays online.</summary>
    private sealed class End : IAsyncDisposable
    {
        private static readonly TimeSpan Retry = TimeSpan.FromMilliseconds(200);

        private readonly Uri _page;
        private readonly CancellationTokenSource _over = new();
        private readonly Task _staying;
        private volatile bool _isOnline = true;

        private End(Uri page, WebUser web, SipUser sip)
        {
            (_page, Web, Sip) = (page, web, sip);
            _staying = StayOnlineAsync();
        }

        public WebUser Web { get; }

        public SipUser Sip { get; }

        public TimeSpan LongestOffline { get; private set; }

        public static async Task<End> GoOnlineAsync(Uri page)
        {
            var web = await WebUser.EnterAsGuestAsync(page);
            var (name, token) = await web.GetImsIdentityAsync();
            var sip = new SipUser(name);
            await sip.RegisterAsync(page, token);
            return new End(page, web, sip);
        }

        public async Task UntilOnlineAsync()
        {
            while (!_isOnline || Sip.Connection.IsCompleted) await Task.Delay(Retry, TestContext.Current.CancellationToken);
        }

        public async ValueTask DisposeAsync()
        {
            await _over.CancelAsync();
            Sip.Dispose();
            await _staying;
            Web.Dispose();
            _over.Dispose();
        }

        private async Task StayOnlineAsync()
        {
            while (!_over.IsCancellationRequested)
            {
                await Sip.Connection;
                if (_over.IsCancellationRequested) return;
                _isOnline = false;
                var lost = Stopwatch.GetTimestamp();
                while (!_over.IsCancellationRequested && !await TryRegisterAsync()) await Task.Delay(Retry, CancellationToken.None);
                var took = Stopwatch.GetElapsedTime(lost);
                if (took > LongestOffline) LongestOffline = took;
                _isOnline = true;
            }
        }

        private async Task<bool> TryRegisterAsync() =>
            await Record.ExceptionAsync(async () => await Sip.RegisterAsync(_page, await Web.GetImsTokenAsync())) is null;
    }
}
