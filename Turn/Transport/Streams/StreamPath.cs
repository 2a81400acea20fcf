using System.IO.Pipelines;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;
using WebRtcIms.ServiceDefaults.Admission;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Hosting;
using WebRtcIms.Turn.Telemetry;

namespace WebRtcIms.Turn.Transport.Streams;

/// <summary>
/// The way back over a client's stream. No sender waits for the client. A client that reads too slowly loses the oldest data of peers, each
/// message as a whole, as over UDP. Responses are never lost: while too many of them wait, the client's requests are not read.
/// </summary>
internal sealed class StreamPath : ClientPath, IExpectsAnswers, IAsyncDisposable
{
    /// <summary>
    /// Octets of data that wait for one client at most, and of responses before its requests are left unread: what a UDP socket's buffer
    /// holds, several of the longest messages.
    /// </summary>
    public const int MaxQueuedOctets = 256 * 1024;

    // The queues cannot drop what the stream already has, so the stream gets little at a time.
    private const int FlushOctets = 16 * 1024;

    // For what is still to be sent when a stream ends. A client that does not read, or has disappeared, costs nothing afterwards.
    private static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(10);

    private readonly Lock _gate = new();
    private readonly MessageQueue _responses = new();
    private readonly MessageQueue _data = new();
    private readonly List<Task> _expected = [];
    private readonly Channel<bool> _filled = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });

    private readonly CancellationTokenSource _aborted = new();
    private readonly ConnectionContext _connection;
    private readonly TurnMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly AdmittedConnection? _place;
    private readonly Task _writing;
    private TaskCompletionSource? _room;
    private bool _hasEnded;

    public StreamPath(ConnectionContext connection, TurnMetrics metrics, TimeProvider time)
    {
        (_connection, _metrics, _time, _place) = (connection, metrics, time, connection.Features.Get<AdmittedConnection>());
        _writing = WriteAsync();
    }

    /// <summary>Whether so many responses wait that no further request should be handled.</summary>
    public bool IsFull
    {
        get
        {
            lock (_gate) return !_hasEnded && _responses.Octets >= MaxQueuedOctets;
        }
    }

    public override void Send(in TransportAddress client, ReadOnlySpan<byte> message)
    {
        if (_place is not null && AuthenticatedResponse.Is(message)) _place.TryAuthenticate();
        lock (_gate)
        {
            if (_hasEnded)
            {
                _metrics.CountDrops(DropReason.NotSent, 1);
                return;
            }

            (IsResponse(message) ? _responses : _data).Add(message);
            while (_data.Octets > MaxQueuedOctets)
            {
                _data.Drop();
                _metrics.CountDrops(DropReason.NotSent, 1);
            }
        }

        _filled.Writer.TryWrite(true);
    }

    public void Expect(Task answer)
    {
        lock (_gate)
        {
            _expected.RemoveAll(task => task.IsCompleted);
            _expected.Add(answer);
        }
    }

    /// <summary>Until the path is no longer full, or nothing more is sent.</summary>
    public Task WaitForRoomAsync()
    {
        lock (_gate)
        {
            if (_hasEnded || _responses.Octets < MaxQueuedOctets) return Task.CompletedTask;
            _room ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _room.Task;
        }
    }

    /// <summary>Ends a wait for room: the stream ends.</summary>
    public void StopWaiting()
    {
        lock (_gate)
        {
            _room?.TrySetResult();
            _room = null;
        }
    }

    /// <summary>Until all requests of the client are answered. A client that has closed its half is still owed the answers.</summary>
    public Task WaitForAnswersAsync()
    {
        Task[] expected;
        lock (_gate) expected = [.. _expected];
        if (expected.Length == 0) return Task.CompletedTask;
        return Task.WhenAny(Task.WhenAll(expected), Task.Delay(EndLimit, _time));
    }

    /// <summary>Sends what waits, and nothing more.</summary>
    public async ValueTask DisposeAsync()
    {
        _filled.Writer.TryComplete();
        using var limit = new CancellationTokenSource();
        if (!_writing.IsCompleted && await Task.WhenAny(_writing, Task.Delay(EndLimit, _time, limit.Token)) != _writing)
        {
            await _aborted.CancelAsync();
            _connection.Abort(new ConnectionAbortedException("the client does not read"));
        }

        await limit.CancelAsync();
        await _writing;
    }

    // STUN (two bits of 0) of a class with C1: success and error (RFC 8489 §5).
    private static bool IsResponse(ReadOnlySpan<byte> message) => message.Length > 0 && (message[0] & 0xC1) == 0x01;

    private async Task WriteAsync()
    {
        var output = _connection.Transport.Output;
        try
        {
            while (await _filled.Reader.WaitToReadAsync())
            {
                _filled.Reader.TryRead(out _);
                while (WriteSome(output))
                {
                    if ((await output.FlushAsync(_aborted.Token)).IsCompleted) return;
                }
            }
        }
        catch (Exception error) when (error is ConnectionResetException or ConnectionAbortedException or OperationCanceledException
            or IOException or ObjectDisposedException)
        {
            // The reading side notices the same and ends the allocation.
        }
        finally
        {
            End();
        }
    }

    /// <summary>Gives the stream a little of what waits, responses first. False if nothing does.</summary>
    private bool WriteSome(PipeWriter output)
    {
        lock (_gate)
        {
            var written = 0;
            while (written < FlushOctets && (_responses.TryWrite(output, ref written) || _data.TryWrite(output, ref written)))
            {
            }

            if (_responses.Octets < MaxQueuedOctets / 2) StopWaiting();
            return written > 0;
        }
    }

    private void End()
    {
        lock (_gate)
        {
            _hasEnded = true;
            _responses.Clear();
            _data.Clear();
            StopWaiting();
        }
    }
}
