using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace WebRtcIms.Tests.Common;

/// <summary>What happens to the connections of a <see cref="FaultProxy"/>.</summary>
public enum ProxyMode
{
    Pass,

    /// <summary>All octets come later.</summary>
    Delay,

    /// <summary>The server's octets are replaced by random ones.</summary>
    Garbage,

    /// <summary>Redis answers with a text in place of a list.</summary>
    OtherKind,

    /// <summary>The server's octets are replaced by the beginning of an answer, so the next answer is taken for the rest of it.</summary>
    Unfinished,
}

/// <summary>A TCP proxy between the parts and Redis, which delays or spoils the answers, or leads to another server.</summary>
public sealed class FaultProxy : IAsyncDisposable
{
    private static readonly ReadOnlyMemory<byte> Text = "+a text\r\n"u8.ToArray();
    private static readonly ReadOnlyMemory<byte> Beginning = "+a te"u8.ToArray();

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentDictionary<Socket, byte> _open = new();
    private readonly CancellationTokenSource _end = new();
    private readonly Task _accepting;
    private volatile IPEndPoint _target;
    private int _replaced;

    /// <param name="target">Such as <c>127.0.0.1:6379</c>.</param>
    public FaultProxy(string target)
    {
        _target = IPEndPoint.Parse(target);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    /// <summary>The value for <c>ConnectionStrings:redis</c>.</summary>
    public string Address => _listener.LocalEndpoint.ToString()!;

    public ProxyMode Mode { get; set; }

    /// <summary>How many answers were replaced by one of another kind, or by the beginning of one.</summary>
    public int Replaced => Volatile.Read(ref _replaced);

    /// <summary>The delay in each direction.</summary>
    public TimeSpan Delay { get; set; }

    /// <summary>Leads to another server from now on. Connections to the former one end.</summary>
    public void PointTo(string target)
    {
        _target = IPEndPoint.Parse(target);
        foreach (var socket in _open.Keys) socket.Close();
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener.Dispose();
        foreach (var socket in _open.Keys) socket.Close();
        await _accepting;
        _end.Dispose();
    }

    private async Task AcceptAsync()
    {
        List<Task> serving = [];
        try
        {
            while (true) serving.Add(ServeAsync(await _listener.AcceptSocketAsync(_end.Token)));
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(serving);
        }
    }

    private async Task ServeAsync(Socket client)
    {
        using var server = new Socket(SocketType.Stream, ProtocolType.Tcp);
        using (client)
        {
            client.NoDelay = server.NoDelay = true;
            (_open[client], _open[server]) = (0, 0);
            try
            {
                await server.ConnectAsync(_target, _end.Token);
                await Task.WhenAny(PumpAsync(client, server, isAnswer: false), PumpAsync(server, client, isAnswer: true));
            }
            catch (Exception error) when (error is SocketException or OperationCanceledException or ObjectDisposedException)
            {
                // The client notices when its connection ends.
            }

            _open.TryRemove(client, out _);
            _open.TryRemove(server, out _);
        }
    }

    private ReadOnlyMemory<byte> ReplacementOf(byte first) => Mode switch
    {
        ProxyMode.OtherKind when first == '*' => Text,
        ProxyMode.Unfinished => Beginning,
        _ => default,
    };

    private async Task PumpAsync(Socket from, Socket to, bool isAnswer)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (await from.ReceiveAsync(buffer, _end.Token) is var length and > 0)
            {
                if (Mode == ProxyMode.Delay) await Task.Delay(Delay, _end.Token);
                if (Mode == ProxyMode.Garbage && isAnswer) RandomNumberGenerator.Fill(buffer.AsSpan(0, length));
                var replacement = isAnswer ? ReplacementOf(buffer[0]) : default;
                if (!replacement.IsEmpty) Interlocked.Increment(ref _replaced);
                await to.SendAsync(replacement.IsEmpty ? buffer.AsMemory(0, length) : replacement, _end.Token);
            }
        }
        catch (Exception error) when (error is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The other direction ends as well.
        }
    }
}
