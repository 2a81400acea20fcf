using System.Collections.Concurrent;
using System.Net.WebSockets;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace WebRtcIms.EndToEnd.Tests.Browser;

/// <summary>The commands of WebDriver BiDi over a WebSocket to the browser. Firefox serves it itself, without a driver.</summary>
internal sealed class BidiConnection : IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private readonly ClientWebSocket _socket = new();
    private readonly CancellationTokenSource _end = new();
    private readonly SemaphoreSlim _sending = new(1);
    private readonly ConcurrentDictionary<int, TaskCompletionSource<JsonNode>> _commands = [];
    private Task _reading = Task.CompletedTask;
    private int _lastId;

    public static async Task<BidiConnection> OpenAsync(Uri address)
    {
        var connection = new BidiConnection();
        await connection._socket.ConnectAsync(address, connection._end.Token);
        connection._reading = connection.ReadAsync();
        await connection.SendAsync("session.new", new { capabilities = new { } });
        return connection;
    }

    /// <summary>Sends a command and returns its result.</summary>
    public async Task<JsonNode> SendAsync(string method, object parameters)
    {
        var id = Interlocked.Increment(ref _lastId);
        var answer = _commands[id] = new(TaskCreationOptions.RunContinuationsAsynchronously);
        var command = JsonSerializer.SerializeToUtf8Bytes(new { id, method, @params = parameters });
        await _sending.WaitAsync(_end.Token);
        try
        {
            await _socket.SendAsync(command, WebSocketMessageType.Text, endOfMessage: true, _end.Token);
        }
        finally
        {
            _sending.Release();
        }

        return await answer.Task.WaitAsync(Limit);
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _reading;
        _socket.Dispose();
        _sending.Dispose();
        _end.Dispose();
    }

    private async Task ReadAsync()
    {
        var buffer = new byte[65536];
        using var message = new MemoryStream();
        try
        {
            while (true)
            {
                var part = await _socket.ReceiveAsync(buffer, _end.Token);
                if (part.MessageType == WebSocketMessageType.Close) break;
                message.Write(buffer, 0, part.Count);
                if (!part.EndOfMessage) continue;
                Handle(JsonNode.Parse(message.GetBuffer().AsSpan(0, (int)message.Length))!);
                message.SetLength(0);
            }
        }
        catch (Exception error) when (error is OperationCanceledException or WebSocketException)
        {
        }

        foreach (var command in _commands.Values) command.TrySetException(new IOException("The browser has closed the connection."));
    }

    // Events have no id. None is subscribed to.
    private void Handle(JsonNode message)
    {
        if (message["id"] is not { } id || !_commands.TryRemove(id.GetValue<int>(), out var command)) return;
        if (message["type"]!.GetValue<string>() == "success") command.SetResult(message["result"]!);
        else command.SetException(new InvalidOperationException($"{message["error"]}: {message["message"]}"));
    }
}
