using WebRtcIms.Tests.Common.Users;

namespace WebRtcIms.Chaos.Tests.Calls;

/// <summary>A page that stays online: it connects and registers again, like the page of the product, when its connection is lost.</summary>
internal sealed class Page : IAsyncDisposable
{
    // The eP-CSCF keeps a request for a page that is away for 10 s.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan RetryInterval = TimeSpan.FromMilliseconds(250);

    private readonly Uri _gateway;
    private readonly WebUser _web;
    private readonly CancellationTokenSource _end = new();
    private readonly Task _staying;
    private string _token;
    private volatile bool _isOnline = true;

    private Page(Uri gateway, WebUser web, SipUser sip, string token)
    {
        (_gateway, _web, Sip, _token) = (gateway, web, sip, token);
        _staying = StayOnlineAsync();
    }

    public SipUser Sip { get; }

    public WebUser Web => _web;

    public bool IsOnline => _isOnline && !Sip.Connection.IsCompleted;

    public static async Task<Page> OpenAsync(Uri gateway, WebUser web)
    {
        var (name, token) = await web.GetImsIdentityAsync();
        var sip = new SipUser(name) { Patience = Patience };
        await sip.RegisterAsync(gateway, token);
        return new Page(gateway, web, sip, token);
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _staying;
        await Record.ExceptionAsync(() => Sip.UnregisterAsync());
        Sip.Dispose();
        _web.Dispose();
        _end.Dispose();
    }

    private async Task StayOnlineAsync()
    {
        try
        {
            while (true)
            {
                await Sip.Connection.WaitAsync(_end.Token);
                _isOnline = false;
                while (!await TryRegisterAsync()) await Task.Delay(RetryInterval, _end.Token);
                _isOnline = true;
            }
        }
        catch (OperationCanceledException) when (_end.IsCancellationRequested)
        {
            // The page closes.
        }
    }

    // A refused token is replaced by a new one of the session.
    private async Task<bool> TryRegisterAsync()
    {
        var error = await Record.ExceptionAsync(() => Sip.RegisterAsync(_gateway, _token));
        if (error is InvalidOperationException)
            await Record.ExceptionAsync(async () => _token = await _web.GetImsTokenAsync());
        return error is null;
    }
}
