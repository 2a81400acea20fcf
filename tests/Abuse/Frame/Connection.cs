namespace WebRtcIms.Abuse.Frame;

/// <summary>A TCP connection of a stranger.</summary>
internal sealed class Connection : IDisposable
{
    private const byte CloseFrame = 0x88;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly Socket _socket;

    private Connection(Socket socket) => _socket = socket;

    /// <summary>The number of connections that one kind of load may make.</summary>
    public const int MaxLoad = 1500;

    public static async Task<Connection> OpenAsync(string host, int port, IPAddress? from = null)
    {
        var address = (await Dns.GetHostAddressesAsync(host, AddressFamily.InterNetwork))[0];
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            if (from is not null) socket.Bind(new IPEndPoint(from, 0));
            using var limit = new CancellationTokenSource(Patience);
            await socket.ConnectAsync(address, port, limit.Token);
            return new Connection(socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Opens many connections of one kind, a hundred at a time. A refused one is absent.</summary>
    public static async Task<List<Connection>> OpenManyAsync(int count, Func<Task<Connection?>> open)
    {
        List<Connection> opened = [];
        for (var left = count; left > 0; left -= 100)
        {
            var some = await Task.WhenAll(Enumerable.Range(0, Math.Min(100, left)).Select(_ => TryAsync(open)));
            opened.AddRange(some.OfType<Connection>());
        }

        return opened;
    }

    /// <summary>A WebSocket of the subprotocol <c>sip</c>, and nothing more; null when it is refused.</summary>
    public static async Task<Connection?> WebSocketAsync(Uri address, string headers = "", string? host = null)
    {
        var connection = await OpenAsync(address.Host, address.Port);
        await connection.SendAsync(
            $"GET /sip HTTP/1.1\r\nHost: {host ?? address.Authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{headers}"
            + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: sip\r\n\r\n");
        if (await connection.ReadStatusAsync() == 101) return connection;
        connection.Dispose();
        return null;
    }

    public Task SendAsync(string text) => SendAsync(Encoding.Latin1.GetBytes(text));

    public async Task SendAsync(byte[] octets)
    {
        using var limit = new CancellationTokenSource(Patience);
        await _socket.SendAsync(octets, limit.Token);
    }

    /// <summary>Sends on a connection that the server may have ended meanwhile.</summary>
    public async Task TrySendAsync(byte[] octets)
    {
        try
        {
            await SendAsync(octets);
        }
        catch (SocketException)
        {
            // It is over.
        }
    }

    /// <summary>What comes next; empty at the end of the connection.</summary>
    public async Task<byte[]> ReadAsync()
    {
        var buffer = new byte[64 * 1024];
        using var limit = new CancellationTokenSource(Patience);
        try
        {
            return buffer[..await _socket.ReceiveAsync(buffer, limit.Token)];
        }
        catch (SocketException)
        {
            return [];
        }
    }

    /// <summary>The status code of an HTTP response; 0 when the connection ended first.</summary>
    public async Task<int> ReadStatusAsync()
    {
        var text = Encoding.Latin1.GetString(await ReadAsync());
        return text.StartsWith("HTTP/1.1 ", StringComparison.Ordinal) ? int.Parse(text[9..12], CultureInfo.InvariantCulture) : 0;
    }

    /// <summary>Whether the server has not ended the connection, and the WebSocket on it.</summary>
    public bool IsOpen()
    {
        try
        {
            if (!_socket.Poll(0, SelectMode.SelectRead)) return true;
            var buffer = new byte[4096];
            var length = _socket.Receive(buffer);
            return length > 0 && buffer[0] != CloseFrame;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>Ends it with a reset, so that no port waits.</summary>
    public void Dispose()
    {
        _socket.LingerState = new LingerOption(true, 0);
        _socket.Dispose();
    }

    private static async Task<Connection?> TryAsync(Func<Task<Connection?>> open)
    {
        try
        {
            return await open();
        }
        catch (Exception error) when (error is SocketException or OperationCanceledException)
        {
            return null;
        }
    }
}
