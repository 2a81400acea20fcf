using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace WebRtcIms.Wwsf.Stores.Migrations;

/// <summary>
/// Sessions of users, with the state of their end, and counters of failed log-ins. Ended sessions stay ended. A live session of a user
/// had no row before, so users log in again.
/// </summary>
[DbContext(typeof(WwsfStore))]
[Migration("20261128000002_Sessions")]
internal sealed class Sessions : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder)
    {
        migrationBuilder.CreateTable(
            name: "Sessions",
            columns: table => new
            {
                Sid = table.Column<string>(nullable: false),
                UserId = table.Column<string>(nullable: true),
                SecurityStamp = table.Column<string>(nullable: true),
                BeganAt = table.Column<long>(nullable: false),
                UsedAt = table.Column<long>(nullable: false),
                ExpiresAt = table.Column<long>(nullable: false),
                EndedAt = table.Column<long>(nullable: true),
                IsRevocationPending = table.Column<bool>(nullable: false),
                IsRegistrationPending = table.Column<bool>(nullable: false)
            },
            constraints: table => table.PrimaryKey("PK_Sessions", x => x.Sid));
        migrationBuilder.CreateIndex(name: "IX_Sessions_UserId", table: "Sessions", column: "UserId");
        migrationBuilder.Sql("""
            INSERT INTO "Sessions"
                ("Sid", "BeganAt", "UsedAt", "ExpiresAt", "EndedAt", "IsRevocationPending", "IsRegistrationPending")
            SELECT "Sid", 0, 0, "ExpiresAt", 0, FALSE, FALSE FROM "EndedSessions"
            """);
        migrationBuilder.DropTable(name: "EndedSessions");

        migrationBuilder.CreateTable(
            name: "FailedLogins",
            columns: table => new
            {
                Id = table.Column<int>(nullable: false),
                Failures = table.Column<int>(nullable: false),
                ExpiresAt = table.Column<long>(nullable: false),
                NextAt = table.Column<long>(nullable: false)
            },
            constraints: table => table.PrimaryKey("PK_FailedLogins", x => x.Id));
        migrationBuilder.CreateTable(
            name: "FailedLoginKeys",
            columns: table => new
            {
                Id = table.Column<int>(nullable: false),
                ProtectedKey = table.Column<byte[]>(nullable: false)
            },
            constraints: table => table.PrimaryKey("PK_FailedLoginKeys", x => x.Id));
    }
}
